"""Paths of an SVG in fewer letters, to a hundredth of a point: a page has tens of thousands."""

import re
from collections.abc import Sequence

_PATH = re.compile(r'\bd="([^"]*)"')
_TOKEN = re.compile(r"[A-Za-z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_PAIRS = {"M": 1, "L": 1, "Q": 2, "C": 3}  # points of a command, the last of which it reaches


def compact(markup: str) -> str:
    """The markup with every path relative and rounded; one with other commands stays as it is."""
    return _PATH.sub(lambda path: f'd="{relative(path[1])}"', markup)


def relative(path: str) -> str:
    """A path of absolute M, L, Q, C and Z as one of m, l, q, c and z.

    Points are rounded before they are subtracted, so that errors do not add up.
    """
    tokens = _TOKEN.findall(path)
    written, before, place = "", "", 0
    start = pen = (0, 0)
    while place < len(tokens):
        command = tokens[place]
        if command in "Zz":
            written, pen, before, place = f"{written}z", start, "", place + 1
            continue
        if command not in _PAIRS:
            return path
        end = place + 1 + 2 * _PAIRS[command]
        numbers = [round(100 * float(token)) for token in tokens[place + 1 : end]]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        again = command == before != "M" or (before, command) == ("M", "L")
        steps = _joined([point[k] - pen[k] for point in points for k in (0, 1)])
        written += command.lower() if not again else "" if steps[0] == "-" else " "
        written += steps
        pen, before, place = points[-1], command, end
        start = pen if command == "M" else start
    return written


def _joined(hundredths: Sequence[int]) -> str:
    """Numbers one after the other; a minus sign separates, too."""
    text = ""
    for number in hundredths:
        whole, rest = divmod(abs(number), 100)
        sign = "-" if number < 0 else " " if text else ""
        text += sign + (str(whole) if whole or not rest else "")
        text += f".{rest:02}".rstrip("0") if rest else ""
    return text
