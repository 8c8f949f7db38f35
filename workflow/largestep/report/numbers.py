"""How values become text."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

NOTHING = "\N{EN DASH}"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_MOST_NAMED = 6


def number(value: float | None, digits: int = 4) -> str:
    """Four digits that count: 0.03271, 3.271·10⁻⁵, 16,000."""
    if is_missing(value):
        return NOTHING
    plain = 1000 <= abs(value) < 1e6
    digits, _, exponent = (f"{value:,.0f}" if plain else f"{value:.{digits}g}").partition("e")
    power = f"·10{str(int(exponent)).translate(SUPERSCRIPTS)}" if exponent else ""
    return digits.replace("-", "\N{MINUS SIGN}") + power


def steps(value: float | None) -> str:
    """A count: 10,000."""
    return NOTHING if is_missing(value) else f"{int(value):,}"


def share(value: float | None) -> str:
    """A part of one, as percentage."""
    return NOTHING if is_missing(value) else f"{value:.1%}"


def some(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, word: str) -> str:
    """1 run, 2 runs."""
    return f"{steps(number)} {word}{'' if number == 1 else 's'}"


def words(value: Any) -> str:
    """A value of a data set's facts on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_within(part)}" for key, part in value.items()) or "none"
    if isinstance(value, list | tuple):
        return some([_within(part) for part in value]) or "none"
    return number(value) if isinstance(value, float) else str(value)


def _within(value: Any) -> str:
    return f"({words(value)})" if isinstance(value, Mapping | list | tuple) else words(value)


def is_missing(value: float | None) -> bool:
    return value is None or math.isnan(value)
