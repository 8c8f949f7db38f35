"""Two phases, and what a larger stepsize buys: Figures 1 and 2 and the poster's teaser."""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd

from largestep.claims.claim import claim, claim_per_run, decides_nothing, of, papers_method
from largestep.claims.evidence import Run, Study
from largestep.claims.statistics import half_interval
from largestep.claims.verdicts import Finding, Verdict, at_most, count, left_open, undecided

_NO_ROUNDING = "none; increases within the loss's rounding error do not count"


def settled(run: Run) -> int | None:
    """The step from which the loss should be monotone: Theorem 2.2's s, or a calm octave's end.

    The latter (our choice) is for MLPs, which have no threshold, and for runs too short for it.
    """
    if run.stable_step is not None:
        return run.stable_step
    return run.calm_step and 2 * run.calm_step


def not_settled(run: Run, **numbers) -> Finding:
    note = f"no stable phase seen within {run.last_step:,} steps"
    return undecided(note, "more steps", **numbers)


def _came_back(study: Study, run: Run) -> Finding:
    """A divergence is an increase: after the stable phase has begun it contradicts."""
    start = settled(run)
    if start is None:
        return decides_nothing(study, run)
    found = at_most(run.diverged_step, start, step=run.diverged_step, note="diverged")
    return _within_theory(run, found)


@claim_per_run(
    id="two-phases",
    statement="A run whose loss is non-monotone is so first: once its stable phase has begun, the "
    "loss never increases again.",
    origin="paper",
    source="paper, Figures 1 and 2, poster; the stable phase begins at Theorem 2.2's threshold, or "
    "after an octave t..2t in which the loss decreases and all samples are correctly classified, "
    "which is our choice",
    quantity="last step at which the loss increased, against the step at which the stable phase "
    "began",
    tolerance=_NO_ROUNDING,
    panels=("loss",),
    needs=(papers_method,),
    diverged=_came_back,
)
def two_phases(study: Study, run: Run) -> Finding | None:
    last_increase = run.facts["last_increase_step"]
    if not last_increase:
        return None
    start = settled(run)
    if start is None:
        return not_settled(run, measured=last_increase)
    found = at_most(last_increase, start, step=last_increase)
    if found.verdict is Verdict.HOLDS and run.last_step < 2 * start:
        # Otherwise the claim would hold by how the beginning of the phase is found.
        note = f"less than an octave after step {start:,}"
        return left_open(found, note, f"{count(2 * start)} steps")
    return _within_theory(run, found)


def _within_theory(run: Run, found: Finding) -> Finding:
    """Where Theorem 2.2 has a threshold, a calm octave above it is not yet its stable phase."""
    above = run.stable_step is None and run.facts["stable_threshold"] is not None
    if found.verdict is Verdict.VIOLATED and above:
        return left_open(
            found, "after a calm octave, but not yet under the threshold", "more steps"
        )
    return found


@claim(
    id="small-stepsize-monotone",
    statement="With a small stepsize the loss is monotone.",
    origin="paper",
    source="paper, Figures 1 and 2, poster; below 2/(rho^2/4 + beta) derived (descent lemma)",
    quantity="number of steps at which the loss increased",
    tolerance=_NO_ROUNDING,
    panels=("loss",),
    needs=(papers_method,),
)
def small_stepsize_monotone(study: Study) -> Iterator[Finding]:
    for runs in study.grids:
        for run in _small(study, runs):
            yield of(run, at_most(run.increases, 0))


def _small(study: Study, runs: list[Run]) -> list[Run]:
    """Which runs of a seed have a small stepsize.

    The loss of a two-layer net has curvature at most rho^2/4 + beta everywhere. An MLP's has no
    such bound: where its largest stepsize is non-monotone, a twentieth of that is small (our
    choice; the paper's pairs are 1/40 and 1/25).
    """
    if study.smoothness:
        curvature = study.smoothness.rho2 / 4 + study.smoothness.beta
        return [run for run in runs if run.stepsize < 2 / curvature]
    largest = runs[-1]
    return [run for run in runs if largest.increases and run.stepsize <= largest.stepsize / 20]


@claim(
    id="larger-stepsize-lower-loss",
    statement="Once its stable phase has begun, a run with a larger stepsize has the lower loss at "
    "the same step.",
    origin="paper",
    source="paper, Figures 1 and 2, poster",
    quantity="final loss over that of the next smaller stepsize, geometric mean across seeds",
    tolerance="none: with several seeds the whole 95% interval must be below 1; one seed speaks "
    "of its own initialization only",
    panels=("loss",),
    reads=lambda experiment: len(experiment.stepsizes) > 1,
    needs=(papers_method,),
)
def larger_stepsize_lower_loss(study: Study) -> Iterator[Finding]:
    for stepsize in sorted({run.stepsize for runs in study.grids for run in runs})[1:]:
        pairs = [pair for runs in study.seeds if (pair := _neighbours(runs, stepsize))]
        lost = [run for run in study.diverged if run.stepsize == stepsize]
        details = {"stepsize": stepsize, "runs": max(2 * len(pairs), 1)}
        if pairs:
            yield _lower(study, pairs, len(lost), details)
        elif lost:
            yield undecided(
                f"stepsize {stepsize:g} diverged with {len(lost)} of {len(study.grids)} seeds",
                "no number of steps: a diverged run has no loss to compare",
                **details,
            )
        else:
            yield undecided("its stable phase has not begun", "more steps", **details)


def _lower(study: Study, pairs: list, lost: int, details: dict) -> Finding:
    """The larger stepsize's losses against the smaller one's, a pair of rows per seed."""
    logs = [math.log(larger["loss"] / smaller["loss"]) for smaller, larger in pairs]
    mean, half = float(np.mean(logs)), half_interval(logs)
    notes = ["one seed" if len(pairs) == 1 else f"{len(pairs)} seeds"]
    if len(pairs) > 1:
        notes += [f"95% interval {math.exp(mean - half):.4g} to {math.exp(mean + half):.4g}"]
    notes += [f"{lost} more diverged"] if lost else []
    found = at_most(math.exp(mean), 1, note=", ".join(notes), **details)
    if len(pairs) > 1 and abs(mean) <= half:
        return left_open(found, "the interval contains 1", "more seeds")
    if found.verdict is Verdict.VIOLATED and study.smoothness and any(_thrown(s) for s, _ in pairs):
        note = (
            "early on a catapult threw the smaller stepsize's loss far below "
            "1/(stepsize t margin^2)"
        )
        return left_open(found, note, "runs long enough to forget it")
    return found


def _neighbours(runs: list[Run], stepsize: float) -> tuple[pd.Series, pd.Series] | None:
    """The rows of the next smaller stepsize and of `stepsize` at their last common step."""
    for smaller, larger in pairwise(runs):
        if larger.stepsize == stepsize:
            step = smaller.rows.index.intersection(larger.rows.index).max()
            start = settled(larger)
            if start is not None and start <= step:
                return smaller.rows.loc[step], larger.rows.loc[step]
    return None


def _thrown(row: pd.Series) -> bool:
    """Whether the loss is below half of where Theorem 2.2 leads it, at M = 1."""
    margin = row["normalized_margin"]
    return row["loss"] * row["stepsize"] * row.name * margin**2 < 0.5
