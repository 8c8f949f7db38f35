"""Limits in Theorem 2.2's phase: rates, direction, the constant in L ~ 1/(stepsize t margin^2)."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from largestep.claims import trend
from largestep.claims.claim import claim_per_run, papers_method, smooth, two_layer
from largestep.claims.evidence import Run, Study
from largestep.claims.stable_phase import left_the_phase, phase_missing
from largestep.claims.verdicts import Finding, at_most, undecided
from largestep.theory import bounds


def _trend(
    run: Run,
    quantity: Callable[[pd.DataFrame, pd.DataFrame], pd.Series],
    limit: float,
    **law,
) -> Finding:
    """Judge `quantity`, of the rows at t and those at t/2, over the stable phase's octaves."""
    if missing := phase_missing(run):
        return missing
    now = run.octaves.loc[2 * run.stable_step :]
    before = run.octaves.reindex(now.index // 2).set_axis(now.index)
    return trend.towards(run, quantity(now, before), limit, **law)


@claim_per_run(
    id="thm22-loss-bracket",
    statement="In the stable phase 1/L stays between two lines in t, so L = Theta(1/t).",
    origin="paper",
    source="paper, Theorem 2.2; the two lines derived",
    quantity="largest ratio of 1/L to its upper line, or of its lower line to 1/L",
    tolerance="32 units of rounding of the loss, each 1 + |ln L| + rho ||w||",
    panels=("theory_loss", "loss"),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def loss_bracket(study: Study, run: Run) -> Finding:
    if len(run.stable) < 2:
        note = "a single recorded step of the stable phase"
        return phase_missing(run) or undecided(note, "more steps")
    steps, loss = run.stable.index.to_numpy(), run.stable["loss"].to_numpy()
    norm = run.stable["param_norm"].to_numpy()
    lower, upper = bounds.loss_bracket(study.smoothness, study.n, run.stepsize, steps, loss, norm)
    # At the first of these steps both lines meet the loss; from the second on they can fail.
    ratio = np.maximum(1 / (loss * upper), lower * loss)[1:]
    worst = int(ratio.argmax())
    return at_most(ratio[worst], 1 + run.rounding.max(), step=int(steps[1 + worst]))


@claim_per_run(
    id="thm22-loss-rate",
    statement="The slope of the loss against the step, both logarithmic, moves to -1.",
    origin="paper",
    source="paper, Section 5 and Figure 2 (b), (e): the rate there; Theorem 2.2 has Theta(1/t)",
    quantity="distance from -1 of the slope over the last octave",
    tolerance=trend.TOLERANCE,
    panels=("theory_loss", "scaled_loss", "loss"),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def loss_rate(study: Study, run: Run) -> Finding:
    return _trend(run, lambda now, before: np.log2(now["loss"] / before["loss"]), -1)


@claim_per_run(
    id="thm22-norm-rate",
    statement="||w|| grows like log t: the normalized margin times its growth per octave, over "
    "ln 2, moves to 1.",
    origin="extension",
    source="ours: Theorem 2.2 has Theta(log t); the constant follows from alignment",
    quantity="distance of that number from 1 in the last octave",
    tolerance=trend.TOLERANCE,
    panels=("theory_norm",),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def norm_rate(study: Study, run: Run) -> Finding:
    def growth(now, before):
        return (now["param_norm"] - before["param_norm"]) * now["normalized_margin"] / math.log(2)

    return _trend(run, growth, 1)


@claim_per_run(
    id="thm22-direction",
    statement="The direction of the weights converges: the angle between w_t and w_{t/2} closes.",
    origin="extension",
    source="ours: the paper leaves convergence in direction open (Section 6)",
    quantity="angle between w_T and w_{T/2}, in radians",
    tolerance="as for the rates; closeness: 1/(ln T)^2, as a direction off by 1/log t turns by "
    "1/(log t)^2 in an octave; trend: like (1/log t)^1.5, as only angles that fall faster than "
    "1/log t have a finite sum",
    panels=("theory_direction",),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def direction(study: Study, run: Run) -> Finding:
    def angle(now, before):
        return np.arccos(now["cosine_to_half"].clip(-1, 1))

    return _trend(run, angle, 0, power=2, trend=1.5)


@claim_per_run(
    id="asymptotic-constant",
    statement="L ~ 1 / (stepsize t margin^2): the product of the four moves to 1.",
    origin="extension",
    source="ours: follows from alignment",
    quantity="distance of L * stepsize * t * (normalized margin)^2 from 1",
    tolerance=trend.TOLERANCE,
    panels=("theory_constant", "scaled_loss"),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def constant(study: Study, run: Run) -> Finding:
    def product(now, before):
        return now["loss"] * run.stepsize * now.index * now["normalized_margin"] ** 2

    return _trend(run, product, 1)


@claim_per_run(
    id="alignment",
    statement="The gradient aligns with the weights: (||grad L|| / (L margin))^2 moves to 1.",
    origin="extension",
    source="ours: expected of a direction that converges, which the paper leaves open",
    quantity="distance of that number from 1",
    tolerance=trend.TOLERANCE,
    panels=("theory_constant",),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def alignment(study: Study, run: Run) -> Finding:
    def ratio(now, before):
        return (now["grad_norm"] / (now["loss"] * now["normalized_margin"])) ** 2

    return _trend(run, ratio, 1)
