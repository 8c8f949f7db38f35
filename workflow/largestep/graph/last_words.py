"""The last screen of a run: what the claims say, what stays open, and where everything is."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

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


def verdicts(claims: Iterable[Mapping[str, str]]) -> list[str]:
    """31 of 31 claims hold (0 violated, 0 inconclusive); then those that do not, and why."""
    claims = list(claims)
    counts = Counter(claim["verdict"] for claim in claims)
    text = f"{counts['holds']} of {len(claims)} claims hold"
    if partly := counts["holds where decided"]:
        text += f", {partly} where decided"
    text += f" ({counts['violated']} violated, {counts['inconclusive']} inconclusive"
    text += f", {counts['not applicable']} not applicable)" if counts["not applicable"] else ")"
    lines = [text]
    for verdict in ("violated", "inconclusive"):
        reasons: dict[str, list[str]] = {}
        for claim in claims:
            if claim["verdict"] == verdict:
                reasons.setdefault(claim["reason"], []).append(claim["id"])
        lines += [f"  {verdict}: {_some(ids)}: {why}" for why, ids in reasons.items()]
    return lines


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
