"""Claims as the report shows them: counts, the map of claims and experiments, every finding."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from largestep.claims.summary import summary
from largestep.claims.verdicts import PRECEDENCE
from largestep.configuration.config import Config
from largestep.configuration.variants import differences
from largestep.report import mathematics
from largestep.report.numbers import NOTHING

#: Verdicts and their signs, the best first.
VERDICTS = {
    "holds": "✓",
    "holds where decided": "◐",
    "inconclusive": "?",
    "violated": "✗",
    "not applicable": "\N{EN DASH}",
}
#: What several claims do.
PLURAL = {"holds": "hold", "holds where decided": "hold where decided"}

ORIGINS = {
    "paper": "stated by the paper",
    "derived": "derived from it",
    "extension": "an extension of ours",
}

Claim = Mapping[str, Any]


class Cell(NamedTuple):
    """What the runs of one experiment say of one claim."""

    experiment: str
    verdict: str
    counts: str


class Bar(NamedTuple):
    """Measured value and bound on a scale from 0 to 100; the side of the bound that is right."""

    measured: float
    bound: float
    right_from: float
    right_to: float


def counts(claims: Iterable[Claim]) -> dict[str, int]:
    """How many claims have which verdict, in the order of VERDICTS; without those that none has."""
    found = Counter(claim["verdict"] for claim in claims)
    return {verdict: found[verdict] for verdict in VERDICTS if found[verdict]}


def headline(claims: Sequence[Claim]) -> list[str]:
    """A summary for each origin, the paper's first; then what variants violate, if anything."""
    lines = []
    for origin, meaning in ORIGINS.items():
        if own := [claim for claim in claims if claim["origin"] == origin]:
            lines.append(f"{meaning[0].upper()}{meaning[1:]}: {summary(c['verdict'] for c in own)}")
    if beside := [claim["id"] for claim in claims if claim["violated_variants"]]:
        lines.append(f"Violated on variants: {', '.join(beside)}")
    return lines


def tally(runs: Iterable[Mapping[str, Any]]) -> str:
    """What a claim's checks found, over all experiments: 12 hold, 3 inconclusive."""
    total: Counter = Counter()
    for found in runs:
        total.update({name: n for name, n in found.items() if name != "experiment"})
    parts = [f"{total[v]} {PLURAL.get(v, v)}" for v in _ordered(total) if total[v]]
    return ", ".join(parts) or NOTHING


def cells(claim: Claim, experiments: Iterable[str]) -> list[Cell | None]:
    """For each experiment what its runs say of a claim; None where it says nothing of them."""
    found = {runs["experiment"]: runs for runs in claim["runs"]}
    return [_cell(found[name]) if name in found else None for name in experiments]


def _cell(runs: Mapping[str, Any]) -> Cell:
    verdict = _verdict(runs) or "not applicable"
    if verdict == "holds" and runs.get("inconclusive"):
        verdict = "holds where decided"
    return Cell(runs["experiment"], verdict, tally([runs]))


def judged(claims: Sequence[Claim], part: str, name: str) -> dict[str, list[str]]:
    """Claims by what an experiment's runs say of them; where some decide nothing, apart.

    part: of a claim's entry that tells of this experiment, "runs" or "variants".
    """
    found: dict[str, list[str]] = {verdict: [] for verdict in ("violated", *VERDICTS)}
    for claim in claims:
        if runs := _runs(claim, part, name):
            found[_cell(runs).verdict].append(claim["id"])
    return found


def verdict_on(claim: Claim, part: str, name: str) -> str | None:
    """What an experiment's runs say of a claim, decided ones before others; None where nothing.

    part: as in `judged`.
    """
    runs = _runs(claim, part, name)
    return runs and (_verdict(runs) or "not applicable")


def _runs(claim: Claim, part: str, name: str) -> Mapping[str, Any] | None:
    return next((runs for runs in claim[part] if runs["experiment"] == name), None)


def variants(config: Config, claims: Sequence[Claim]) -> dict[str, dict]:
    """For each variant: what differs from its base, and the claims by what they found on it."""
    found = {}
    for name, experiment in config.experiments.items():
        if experiment.variant_of is None:
            continue
        differs = differences(config.experiments[experiment.variant_of], experiment)
        found[name] = {"differs": differs, "claims": judged(claims, "variants", name)}
    return found


def bar(claim: Claim) -> Bar | None:
    """How far the decisive run is from its bound, to be drawn; None without both numbers."""
    measured, bound, slack = (claim[name] for name in ("measured", "bound", "slack"))
    if measured is None or bound is None:
        return None
    low, high = min(measured, bound, 0), max(measured, bound, 0)
    width = (high - low) or 1
    low, width = low - 0.08 * width, 1.16 * width
    place, limit = (100 * (value - low) / width for value in (measured, bound))
    below = measured <= bound if slack is None or slack >= 0 else measured > bound
    right = (0, limit) if below else (limit, 100)
    return Bar(round(place, 1), round(limit, 1), round(right[0], 1), round(right[1], 1))


def every_finding(findings: pd.DataFrame) -> dict[str, list[list]]:
    """By claim, every finding: experiment, eta, stepsize, seed, step, verdict, numbers, note.

    Within a claim and an experiment the one that decides comes first: of the first verdict in
    order of precedence, the one with least room.
    """
    columns = ["experiment", "eta", "stepsize", "seed", "step", "verdict"]
    columns += ["measured", "bound", "slack", "note"]
    rows = findings.assign(
        note=findings["note"].map(mathematics.characters),
        rank=findings["verdict"].map(PRECEDENCE.index),
        room=[_room(*pair) for pair in zip(findings["slack"], findings["bound"], strict=True)],
    )
    rows = rows.sort_values(["rank", "room"], kind="stable")
    return {
        claim: [[_plain(value) for value in row] for row in part[columns].itertuples(index=False)]
        for claim, part in rows.groupby("claim", sort=False)
    }


def _verdict(runs: Mapping[str, Any]) -> str | None:
    return next((verdict for verdict in PRECEDENCE if runs.get(verdict)), None)


def _ordered(found: Iterable[str]) -> list[str]:
    return [*VERDICTS, *(verdict for verdict in found if verdict not in VERDICTS)]


def _room(slack: float | None, bound: float | None) -> float:
    if slack is None or math.isnan(slack):
        return math.inf
    return slack / (abs(bound or 0) or 1)


def _plain(value: Any) -> Any:
    """For JSON, which has no nan."""
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else value
