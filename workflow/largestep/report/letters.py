"""The letters of panels: a, b, ..., z, aa, ab, ..."""


def letter(place: int) -> str:
    """Of the panel at a place, counted from 0."""
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(ord("a") + rest) + name
    return name
