"""The first mistake that pydantic found, in one line that speaks of YAML."""

from itertools import pairwise
from typing import Any

from pydantic import ValidationError

#: Pydantic's words where they speak of Python rather than of YAML.
_SAID = {
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have {max_length} or fewer entries",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_pattern_mismatch": "must match {pattern}",
}


#: Keys under which a part is chosen from several kinds.
_CHOSEN = ("dataset", "model", "activation", "loss", "direction", "policy")


def explain(error: ValidationError) -> str:
    """The first mistake, in one line: key, what would be right, what was given."""
    mistakes = error.errors(include_url=False)
    first = mistakes[0]
    place = _place(first["loc"])
    kind, context, given = first["type"], first.get("ctx", {}), first["input"]
    if kind == "missing":
        text = "is missing"
    elif kind == "extra_forbidden":
        text = "is not a known key"
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        key = context["discriminator"].strip("'")
        place = f"{place}.{key}"
        if kind == "union_tag_not_found":
            text = "is missing"
        else:
            text = f"must be one of {context['expected_tags']} (got {clip(context['tag'])!r})"
    elif kind == "value_error":
        inner, _, text = str(context["error"]).partition(": ")
        place = f"{place}.{inner}"
    else:
        text = _SAID.get(kind) or first["msg"].replace("Input should be", "must be")
        text = text.format(**context)
        text = f"{text[0].lower()}{text[1:]} (got {clip(given)!r})"
        if kind.startswith(("int", "float")) and isinstance(given, str) and _is_number(given):
            text += f"; YAML takes this for text, write {float(given):.17g}"
    return f"{place.lstrip('.')}: {text}".removeprefix(": ")


def _place(location: tuple) -> str:
    """The dotted key; drops the tags that pydantic puts where it chose from a union."""
    place = ""
    for before, part in pairwise(("", *location)):
        if before in _CHOSEN and part != "name":
            continue
        if isinstance(part, str) and (part.startswith("function-") or "[" in part):
            continue
        place += f"[{part}]" if isinstance(part, int) else f".{clip(part)}"
    return place.encode("unicode_escape").decode()


def clip(value: Any, length: int = 60) -> Any:
    if isinstance(value, str):
        return value if len(value) <= length else value[:length] + "..."
    text = repr(value)
    return value if len(text) <= length else _Clipped(text[:length] + "...")


class _Clipped(str):
    __repr__ = str.__str__


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
