"""Two phases, and what a larger stepsize buys: Figures 1 and 2 and the poster's teaser."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from largestep.claims.claim import claim, claim_per_run, of
from largestep.claims.evidence import Run, Study
from largestep.claims.verdicts import Finding, Verdict, at_most, count, undecided


def settled(run: Run) -> int | None:
    """The step from which the loss should only fall: Theorem 2.2's s, or the end of a calm octave.

    The latter (our choice) is for MLPs, which have no threshold, and for runs too short for it.
    """
    if run.stable_step is not None:
        return run.stable_step
    return run.calm_step and 2 * run.calm_step


@claim_per_run(
    id="two-phases",
    statement="A run that oscillates does so first: once it has settled, the loss never rises "
    "again.",
    source="paper, Figures 1 and 2, poster; settled: Theorem 2.2's threshold, or all through "
    "t..2t the loss falls and no sample is misjudged, which is our choice",
    quantity="last step at which the loss rose, against the step at which the run has settled",
    tolerance="none; rises within the loss's rounding error do not count as rises",
    panels=("loss",),
)
def two_phases(study: Study, run: Run) -> Finding | None:
    last_rise = run.facts["last_increase_step"]
    if not last_rise:
        return None
    start = settled(run)
    if start is None:
        return undecided(f"not settled within {run.last_step:,} steps", measured=last_rise)
    return at_most(last_rise, start, step=last_rise)


@claim(
    id="small-stepsize-monotone",
    statement="A small stepsize never lets the loss rise.",
    source="paper, Figures 1 and 2, poster; below 2/(rho^2/4 + beta) derived (descent lemma)",
    quantity="number of steps at which the loss rose",
    tolerance="none; rises within the loss's rounding error do not count as rises",
    panels=("loss",),
)
def small_stepsize_monotone(study: Study) -> Iterator[Finding]:
    for runs in study.seeds:
        for run in _small(study, runs):
            yield of(run, at_most(run.facts["increases"], 0))


def _small(study: Study, runs: list[Run]) -> list[Run]:
    """Which runs of a seed have a small stepsize.

    The loss of a two-layer net has curvature at most rho^2/4 + beta everywhere. An MLP's has no
    such bound: where its largest stepsize oscillates, a twentieth of that is small (our choice;
    the paper's pairs are 1/40 and 1/25).
    """
    if study.smoothness:
        curvature = study.smoothness.rho2 / 4 + study.smoothness.beta
        return [run for run in runs if run.stepsize < 2 / curvature]
    largest = runs[-1]
    oscillates = largest.facts["increases"]
    return [run for run in runs if oscillates and run.stepsize <= largest.stepsize / 20]


@claim(
    id="larger-stepsize-lower-loss",
    statement="Once it has settled, a run with a larger stepsize has the lower loss at the same "
    "step.",
    source="paper, Figures 1 and 2, poster",
    quantity="final loss over that of the next smaller stepsize, geometric mean over the seeds",
    tolerance="with several seeds, a 95% interval of the mean",
    panels=("loss",),
    reads=lambda experiment: len(experiment.stepsizes) > 1,
)
def larger_stepsize_lower_loss(study: Study) -> Iterator[Finding]:
    for stepsize in sorted({run.stepsize for run in study.runs})[1:]:
        pairs = [pair for runs in study.seeds if (pair := _neighbours(runs, stepsize))]
        if not pairs:
            yield undecided("not settled yet", stepsize=stepsize, runs=len(study.seeds))
            continue
        logs = [math.log(larger["loss"] / smaller["loss"]) for smaller, larger in pairs]
        found = at_most(math.exp(np.mean(logs)), 1, stepsize=stepsize, runs=2 * len(pairs))
        if found.verdict is Verdict.VIOLATED:
            if np.mean(logs) <= half_interval(logs):
                note = f"the {len(pairs)} seeds differ by more; more seeds would decide"
                found = replace(found, verdict=Verdict.INCONCLUSIVE, note=note)
            elif study.smoothness and any(map(_thrown, (smaller for smaller, _ in pairs))):
                note = (
                    "early on a catapult threw the smaller stepsize's loss far below "
                    "1/(stepsize t margin^2); runs long enough to forget it would decide"
                )
                found = replace(found, verdict=Verdict.INCONCLUSIVE, note=note)
        yield found


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


def half_interval(values: list[float]) -> float:
    """Half the width of the mean's 95% confidence interval; 0 for a single value."""
    n = len(values)
    return float(stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(n)) if n > 1 else 0.0


@claim(
    id="larger-stepsize-higher-test-accuracy",
    statement="At equal steps, while the small stepsize still fits its training data, the large "
    "one has the higher test accuracy.",
    source="paper, Figure 1 (c); equal steps are our choice, at convergence the gap is noise",
    quantity="difference of test accuracies, mean over recorded steps and seeds",
    tolerance="a 95% interval of the mean over seeds",
    panels=("test_accuracy",),
    reads=lambda experiment: (
        experiment.model.kind == "mlp"
        and experiment.dataset.has_test
        and len(experiment.stepsizes) > 1
    ),
)
def larger_stepsize_higher_test_accuracy(study: Study) -> Iterator[Finding]:
    gaps = []
    for runs in study.seeds:
        gap = _accuracy_gap(runs[0], runs[-1]) if len(runs) > 1 else None
        if gap is not None:
            gaps.append(gap)
    if not gaps:
        yield undecided("the large stepsize settles after the small one has fitted its data")
        return
    mean, half = float(np.mean(gaps)), half_interval(gaps)
    numbers = {"measured": mean, "bound": 0.0, "slack": mean - half, "runs": 2 * len(gaps)}
    if len(gaps) == 1:
        yield undecided("one seed has no error bar; three seeds or more would decide", **numbers)
    elif half >= abs(mean):
        seeds = math.ceil(len(gaps) * (half / mean) ** 2) if mean else math.inf
        needed = f"about {count(seeds)}" if math.isfinite(seeds) else "many"
        yield undecided(f"{mean:.4f} +- {half:.4f}; {needed} seeds would decide", **numbers)
    else:
        verdict = Verdict.HOLDS if mean > 0 else Verdict.VIOLATED
        yield Finding(verdict, note=f"{mean:.4f} +- {half:.4f}", **numbers)


def _accuracy_gap(small: Run, large: Run) -> float | None:
    """Mean difference of test accuracies while `large` is calm and `small` has not separated."""
    first = large.facts["last_increase_step"] + 1
    last = small.facts["separation_step"] or small.last_step
    gap = (large.rows["test_accuracy"] - small.rows["test_accuracy"]).loc[first:last].dropna()
    return float(gap.mean()) if len(gap) else None
