"""What a large stepsize does to test accuracy where Figure 1 (c) says nothing: at equal training
loss, and in the end."""

from collections.abc import Iterator

import numpy as np

from largestep.claims.claim import claim, papers_method
from largestep.claims.evidence import Run, Study
from largestep.claims.held_out import ahead, extremes, last_gap, perceptrons_compared
from largestep.claims.verdicts import Finding, undecided


@claim(
    id="test-accuracy-at-equal-loss",
    statement="At equal training loss, too, the large stepsize has the higher test accuracy: it "
    "is not ahead for being faster alone.",
    origin="extension",
    source="ours, after Figure 1 (c), which compares equal steps",
    quantity="difference of test accuracies at the losses that both have after their last "
    "increase, mean over the small stepsize's recorded steps and over seeds",
    tolerance="none: the whole 95% interval of the mean across seeds must be above 0",
    panels=("test_accuracy_by_loss", "test_accuracy"),
    reads=perceptrons_compared,
    needs=(papers_method,),
)
def at_equal_loss(study: Study) -> Iterator[Finding]:
    pairs = extremes(study)
    gaps = [gap for pair in pairs if (gap := _gap_at_equal_loss(*pair)) is not None]
    lost = study.lost_above()
    if gaps:
        yield ahead(gaps, lost)
    else:
        note = "after their last increases the two have no loss in common"
        yield undecided(lost or note, "more steps")


@claim(
    id="test-accuracy-in-the-end",
    statement="In the end, both stepsizes having fitted their training data, the large one has "
    "the higher test accuracy.",
    origin="extension",
    source="ours, after Figure 1 (c)",
    quantity="difference of test accuracies at the last step that both have, mean over seeds",
    tolerance="none: the whole 95% interval of the mean across seeds must be above 0",
    panels=("test_accuracy",),
    reads=perceptrons_compared,
    needs=(papers_method,),
)
def in_the_end(study: Study) -> Iterator[Finding]:
    pairs = extremes(study)
    fitted = [
        pair for pair in pairs if all(run.facts["separation_step"] is not None for run in pair)
    ]
    lost = study.lost_above()
    if fitted:
        yield ahead([last_gap(*pair) for pair in fitted], lost)
    else:
        note = "one of the two has not fitted its training data"
        yield undecided(lost or note, "more steps")


def _gap_at_equal_loss(small: Run, large: Run) -> float | None:
    """Mean difference of test accuracies over the small stepsize's steps, once both losses are
    monotone, whose loss the large one has as well; it is interpolated in the logarithm."""
    slow, fast = (
        run.rows.loc[run.facts["last_increase_step"] + 1 :, ["loss", "test_accuracy"]].dropna()
        for run in (small, large)
    )
    if fast.empty:
        return None
    common = slow[slow["loss"].between(fast["loss"].min(), fast["loss"].max())]
    if common.empty:
        return None
    falling = fast.sort_values("loss")
    at = np.interp(np.log(common["loss"]), np.log(falling["loss"]), falling["test_accuracy"])
    return float(np.mean(at - common["test_accuracy"]))
