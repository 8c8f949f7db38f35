"""What a check can find: one of four verdicts, with the numbers that decided it."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum


class Verdict(StrEnum):
    HOLDS = "holds"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not applicable"


#: Of several verdicts on one claim, the first of these counts.
PRECEDENCE = (Verdict.VIOLATED, Verdict.HOLDS, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE)


@dataclass(frozen=True)
class Finding:
    """The verdict on one run, or on one group of runs (`seed` and `stepsize` None: all of them).

    slack: how far `measured` is on the right side of `bound`, in its units; negative beyond it.
    step: where in the run it was measured. note: what else a reader should know; for an
    inconclusive finding, what would decide it.
    """

    verdict: Verdict
    measured: float | None = None
    bound: float | None = None
    slack: float | None = None
    note: str = ""
    step: int | None = None
    seed: int | None = None
    stepsize: float | None = None
    runs: int = 1


def at_most(measured: float, bound: float, **details) -> Finding:
    """Holds where measured <= bound; a nan does not."""
    return _judge(measured, bound, bound - measured, details)


def at_least(measured: float, bound: float, **details) -> Finding:
    """Holds where measured >= bound; a nan does not."""
    return _judge(measured, bound, measured - bound, details)


def undecided(note: str, **details) -> Finding:
    return Finding(Verdict.INCONCLUSIVE, note=note, **details)


def not_applicable(note: str, **details) -> Finding:
    return Finding(Verdict.NOT_APPLICABLE, note=note, **details)


def unless_rounding(found: Finding, error: float) -> Finding:
    """Inconclusive where the slack is within the error that rounding can make in it."""
    if abs(found.slack) > error:
        return found
    note = f"the room, {found.slack:.1e}, is within rounding, {error:.1e}"
    return replace(found, verdict=Verdict.INCONCLUSIVE, note=note)


def _judge(measured: float, bound: float, slack: float, details: dict) -> Finding:
    verdict = Verdict.HOLDS if slack >= 0 else Verdict.VIOLATED
    return Finding(verdict, float(measured), float(bound), float(slack), **details)


def count(steps: float) -> str:
    """A number of steps in words: 12,000, or 3e+15 where digits say nothing."""
    return f"{math.ceil(steps):,}" if steps < 1e12 else f"{steps:.0e}"
