"""What a check can find: one of four verdicts, with the numbers that decided it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Verdict(StrEnum):
    """Of a finding, all but `holds where decided`; of a claim, which has many findings, any."""

    HOLDS = "holds"
    WHERE_DECIDED = "holds where decided"
    INCONCLUSIVE = "inconclusive"
    VIOLATED = "violated"
    NOT_APPLICABLE = "not applicable"


#: Of several findings on one experiment, the first of these counts.
PRECEDENCE = (Verdict.VIOLATED, Verdict.HOLDS, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE)


@dataclass(frozen=True)
class Finding:
    """The verdict on one run, or on one group of runs (`seed` and `stepsize` None: all of them).

    slack: how far `measured` is on the right side of `bound`, in its units; negative beyond it.
    step: where in the run it was measured. note: what else a reader should know. decides: of an
    inconclusive finding, what would decide it.
    """

    verdict: Verdict
    measured: float | None = None
    bound: float | None = None
    slack: float | None = None
    note: str = ""
    decides: str = ""
    step: int | None = None
    seed: int | None = None
    stepsize: float | None = None
    runs: int = 1

    @property
    def words(self) -> str:
        """The note, and what would decide an inconclusive finding."""
        decides = self.decides and f"would decide: {self.decides}"
        return "; ".join(filter(None, (self.note, decides)))


def at_most(measured: float, bound: float, **details) -> Finding:
    """Holds where measured <= bound; a nan does not."""
    return _judge(measured, bound, bound - measured, details)


def at_least(measured: float, bound: float, **details) -> Finding:
    """Holds where measured >= bound; a nan does not."""
    return _judge(measured, bound, measured - bound, details)


def undecided(note: str, decides: str, **details) -> Finding:
    return Finding(Verdict.INCONCLUSIVE, note=note, decides=decides, **details)


def not_applicable(note: str, **details) -> Finding:
    return Finding(Verdict.NOT_APPLICABLE, note=note, **details)


def left_open(found: Finding, note: str, decides: str) -> Finding:
    """The finding's numbers, with no verdict drawn from them."""
    note = "; ".join(filter(None, (found.note, note)))
    return replace(found, verdict=Verdict.INCONCLUSIVE, note=note, decides=decides)


def unless_rounding(found: Finding, error: float) -> Finding:
    """Inconclusive where the slack is within the error that rounding can make in it."""
    if not abs(found.slack) <= error:  # beyond it, or nan, which contradicts
        return found
    note = f"the room, {found.slack:.1e}, is within rounding, {error:.1e}"
    return left_open(found, note, "a dtype of more digits")


def overall(counts: Mapping[Verdict, int]) -> Verdict:
    """The verdict on a claim from how many findings have which."""
    if counts.get(Verdict.VIOLATED):
        return Verdict.VIOLATED
    if counts.get(Verdict.HOLDS):
        return Verdict.WHERE_DECIDED if counts.get(Verdict.INCONCLUSIVE) else Verdict.HOLDS
    return Verdict.INCONCLUSIVE if counts.get(Verdict.INCONCLUSIVE) else Verdict.NOT_APPLICABLE


def count(steps: float) -> str:
    """A number of steps in words: 12,000, or 3e+15 where digits say nothing."""
    return f"{math.ceil(steps):,}" if steps < 1e12 else f"{steps:.0e}"


def _judge(measured: float, bound: float, slack: float, details: dict) -> Finding:
    verdict = Verdict.HOLDS if slack >= 0 else Verdict.VIOLATED
    return Finding(verdict, float(measured), float(bound), float(slack), **details)
