"""The last screen of a run: what the claims say, what stays open, and where everything is."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from largestep.claims.summary import summary

#: Claims that are named, of those that are violated or inconclusive for the same reason.
_MOST_NAMED = 3

#: What a reader opens, by its name under results/<name>/.
_FILES = {
    "report": "report.html",
    "note": "report.pdf",
    "figures": "figures",
    "claims": "claims.json",
    "tables": "metrics",
}


def of(results: Path) -> list[str]:
    """Lines about a finished run; of what is not there, none."""
    found = [f"{word:<12}{results / name}" for word, name in _FILES.items()]
    there = [
        line for line, name in zip(found, _FILES.values(), strict=True) if (results / name).exists()
    ]
    try:
        claims = json.loads((results / "claims.json").read_text())
        return [*verdicts(claims), *there]
    except (OSError, ValueError, LookupError, TypeError):
        return there


def verdicts(claims: Iterable[Mapping[str, Any]]) -> list[str]:
    """How many claims of each origin hold; then those that do not, and why."""
    claims = list(claims)
    lines = [f"{name:<12}{text}" for name, text in by_origin(claims).items()]
    if beside := [claim["id"] for claim in claims if claim["violated_variants"]]:
        lines.append(f"{'variants':<12}violate {_some(beside)}")
    for verdict in ("violated", "inconclusive"):
        reasons: dict[str, list[str]] = {}
        for claim in claims:
            if claim["verdict"] == verdict:
                reasons.setdefault(claim["reason"], []).append(claim["id"])
        lines += [f"  {verdict}: {_some(ids)}: {why}" for why, ids in reasons.items()]
    return lines


def by_origin(claims: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Of each origin how many claims hold, as `summary` says it."""
    found: dict[str, list[str]] = {}
    for claim in claims:
        found.setdefault(claim["origin"], []).append(claim["verdict"])
    return {origin: summary(verdicts) for origin, verdicts in found.items()}


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
