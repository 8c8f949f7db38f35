"""What a large stepsize does to test accuracy: Figures 1 (c) and 3."""

import math
from collections.abc import Iterator

import numpy as np

from largestep.claims.claim import claim, papers_method
from largestep.claims.evidence import Run, Study
from largestep.claims.phases import settled
from largestep.claims.statistics import half_interval
from largestep.claims.verdicts import Finding, Verdict, count, undecided
from largestep.configuration.experiment import Experiment


def perceptrons_compared(experiment: Experiment) -> bool:
    """Whether an experiment is of the kind of Figure 1 (c): a perceptron, a test set, a grid."""
    return (
        experiment.model.kind == "mlp"
        and experiment.dataset.has_test
        and len(experiment.stepsizes) > 1
    )


@claim(
    id="larger-stepsize-higher-test-accuracy",
    statement="At equal steps, until the small stepsize has fitted its training data, the large "
    "one has the higher test accuracy.",
    origin="paper",
    source="paper, Figure 1 (c); equal steps are our choice, at convergence the gap is noise",
    quantity="difference of test accuracies, mean over recorded steps (equally spaced in log t) "
    "and seeds",
    tolerance="none: the whole 95% interval of the mean across seeds must be above 0",
    panels=("test_accuracy",),
    reads=perceptrons_compared,
    needs=(papers_method,),
)
def larger_stepsize_higher_test_accuracy(study: Study) -> Iterator[Finding]:
    pairs = extremes(study)
    gaps = [gap for pair in pairs if (gap := _accuracy_gap(*pair)) is not None]
    lost = study.lost_above()
    if gaps:
        yield ahead(gaps, lost)
    else:
        note = "the small stepsize has fitted its data before the large one's last increase"
        yield undecided(lost or note, "a smaller stepsize, or a larger one that converges")


@claim(
    id="fig3-test-accuracy",
    statement="On images a two-layer network, too, ends with the higher test accuracy the larger "
    "its stepsize.",
    origin="paper",
    source="paper, Figure 3 (Appendix E), in the setting of Figure 2 (d)-(f); our choice: in the "
    "end, and the largest stepsize against the smallest",
    quantity="difference of test accuracies at the last step that both have, mean over seeds",
    tolerance="none: the whole 95% interval of the mean across seeds must be above 0",
    panels=("test_accuracy",),
    reads=lambda experiment: (
        experiment.model.head is not None
        and experiment.dataset.has_test
        and len(experiment.stepsizes) > 1
    ),
    needs=(papers_method,),
)
def two_layer_test_accuracy(study: Study) -> Iterator[Finding]:
    pairs = extremes(study)
    lost = study.lost_above()
    gaps = [last_gap(*pair) for pair in pairs if settled(pair[1]) is not None]
    if gaps:
        yield ahead(gaps, lost)
    else:
        note = "the stable phase of the largest stepsize has not begun"
        yield undecided(lost or note, "more steps")


def extremes(study: Study) -> list[tuple[Run, Run]]:
    """The runs with the smallest and the largest stepsize, of every seed that has both."""
    return [(runs[0], runs[-1]) for runs in study.seeds if len(runs) > 1]


def ahead(gaps: list[float], lost: str = "") -> Finding:
    """Whether gaps, one per seed, are positive in the mean; `lost` is a further note."""
    mean, half = float(np.mean(gaps)), half_interval(gaps)
    numbers = {"measured": mean, "bound": 0.0, "runs": 2 * len(gaps)}
    words = "; ".join(filter(None, (f"{mean:.4f} +- {half:.4f}, {len(gaps)} seeds", lost)))
    if len(gaps) == 1:
        return undecided("one seed has no interval", "three seeds or more", **numbers)
    if half >= abs(mean):
        seeds = math.ceil(len(gaps) * (half / mean) ** 2) if mean else math.inf
        needed = f"about {count(seeds)} seeds" if math.isfinite(seeds) else "many seeds"
        return undecided(words, needed, slack=mean - half, **numbers)
    verdict = Verdict.HOLDS if mean > 0 else Verdict.VIOLATED
    return Finding(verdict, note=words, slack=math.copysign(abs(mean) - half, mean), **numbers)


def _accuracy_gap(small: Run, large: Run) -> float | None:
    """Mean difference of test accuracies, from `large`'s last increase to `small`'s t_sep."""
    first = large.facts["last_increase_step"] + 1
    fitted = small.facts["separation_step"]
    last = small.last_step if fitted is None else fitted
    gap = (large.rows["test_accuracy"] - small.rows["test_accuracy"]).loc[first:last].dropna()
    return float(gap.mean()) if len(gap) else None


def last_gap(small: Run, large: Run) -> float:
    """Difference of test accuracies at the last step that both have."""
    step = small.rows.index.intersection(large.rows.index).max()
    return float(large.rows.at[step, "test_accuracy"] - small.rows.at[step, "test_accuracy"])
