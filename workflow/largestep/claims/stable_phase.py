"""Theorem 2.2: what holds at every step once the loss is under the threshold."""

import math
from collections.abc import Callable

import numpy as np

from largestep.claims.claim import claim_per_run, two_layer
from largestep.claims.evidence import Run, Study
from largestep.claims.verdicts import (
    Finding,
    Verdict,
    at_least,
    at_most,
    count,
    undecided,
    unless_rounding,
)
from largestep.theory import bounds

_ROUNDING = "32 units of rounding of the loss, each 1 + |ln L| + rho ||w||"
_INCONCLUSIVE = "none; inconclusive within rounding: "


@claim_per_run(
    id="thm22-threshold",
    statement="The loss falls below Theorem 2.2's threshold, where the stable phase starts.",
    source="paper, Theorem 2.2; on separable data the latest step is derived from Theorem 3.2",
    quantity="first step under the threshold, against the step by which it must have come",
    tolerance="none",
    panels=("theory_loss", "loss"),
    needs=(two_layer,),
)
def threshold(study: Study, run: Run) -> Finding:
    latest = None
    if study.separable:
        start, level = run.rows["param_norm"].iloc[0], run.facts["stable_threshold"]
        latest = bounds.transition_step(study.separable, run.stepsize, start, level)
    if run.stable_step is None and (latest is None or latest > run.last_step):
        return not_yet(run)
    seen = run.last_step + 1 if run.stable_step is None else run.stable_step
    return Finding(Verdict.HOLDS, float(seen)) if latest is None else at_most(seen, latest)


def phase_missing(run: Run) -> Finding | None:
    """Why the run has no stable phase to look at; None where it has."""
    if run.stable_step is None:
        return not_yet(run)
    if run.stable.empty:
        return undecided("rounding froze the run at the first step of its stable phase")
    return None


def not_yet(run: Run) -> Finding:
    """For a run that has not reached its stable phase; the estimate lets the loss fall like 1/t."""
    loss, level = run.last["loss"], run.facts["stable_threshold"]
    needed = count(run.last_step * max(loss / level, 1))
    return undecided(
        f"the loss, {loss:.2g}, is not yet under the threshold {level:.2g}; "
        f"falling like 1/t it would take about {needed} steps"
    )


def _over_all_steps(run: Run, column: str, judge: Callable[[float], Finding]) -> Finding:
    """Judge a quantity of runs.parquet that saw every step from s on."""
    if missing := phase_missing(run):
        return missing
    value = run.facts[column]
    return undecided("a single step of the stable phase") if value is None else judge(value)


@claim_per_run(
    id="thm22-loss-falls",
    statement="In the stable phase every step lowers the loss.",
    source="paper, Theorem 2.2",
    quantity="largest (L_{t+1} - L_t) / L_t",
    tolerance=f"{_INCONCLUSIVE}{_ROUNDING}",
    panels=("theory_loss", "loss"),
    needs=(two_layer,),
)
def loss_falls(study: Study, run: Run) -> Finding:
    def judge(rise: float) -> Finding:
        return unless_rounding(at_most(rise, 0), run.rounding.max())

    return _over_all_steps(run, "largest_loss_rise", judge)


@claim_per_run(
    id="thm22-descent",
    statement="In the stable phase every step lowers the loss by at least half the stepsize times "
    "the squared gradient norm.",
    source="paper, Theorem 2.2",
    quantity="smallest (L_t - L_{t+1}) / (stepsize ||grad L_t||^2)",
    tolerance=f"{_INCONCLUSIVE}{_ROUNDING}, twice, over the smallest relative fall",
    panels=("theory_loss", "loss"),
    needs=(two_layer,),
)
def descent(study: Study, run: Run) -> Finding:
    def judge(ratio: float) -> Finding:
        falls = run.stepsize * run.stable["grad_norm"] ** 2 / run.stable["loss"]
        return unless_rounding(at_least(ratio, 0.5), 2 * run.rounding.max() / falls.min())

    return _over_all_steps(run, "smallest_descent_ratio", judge)


@claim_per_run(
    id="thm22-norm-grows",
    statement="In the stable phase every step lengthens the weights.",
    source="paper, Theorem 2.2",
    quantity="smallest ||w_{t+1}|| / ||w_t|| - 1",
    tolerance=f"{_INCONCLUSIVE}32 units of rounding of the norm",
    panels=("theory_norm",),
    needs=(two_layer,),
)
def norm_grows(study: Study, run: Run) -> Finding:
    def judge(growth: float) -> Finding:
        return unless_rounding(at_least(growth, 0), 32 * np.finfo(run.facts["dtype"]).eps)

    return _over_all_steps(run, "smallest_norm_growth", judge)


@claim_per_run(
    id="thm22-margin-positive",
    statement="In the stable phase every sample is on its right side.",
    source="paper, Theorem 2.2",
    quantity="smallest normalized margin at a recorded step of the stable phase",
    tolerance="none",
    panels=("theory_margin", "normalized_margin"),
    needs=(two_layer,),
)
def margin_positive(study: Study, run: Run) -> Finding:
    if missing := phase_missing(run):
        return missing
    margins = run.stable["normalized_margin"]
    return at_least(margins.min(), 0, step=int(margins.idxmin()))


def smooth_margins(run: Run, n: int) -> np.ndarray:
    """gamma_a = ln(1 / (n L)) / ||w|| at the recorded steps of the stable phase."""
    return (-np.log(n * run.stable["loss"]) / run.stable["param_norm"]).to_numpy()


def _rounding_of_margins(study: Study, run: Run) -> float:
    """Relative error of the fall of a smooth margin by rounding."""
    excess = -np.log(study.n * run.stable["loss"].max()) - study.smoothness.kappa
    return 2 * run.rounding.max() / excess


@claim_per_run(
    id="thm22-gamma-b",
    statement="In the stable phase the smooth margin (ln(1/(n L)) - kappa) / ||w|| does not fall, "
    "up to the corrections of finite steps and of the logistic loss.",
    source="paper, Theorem 2.2; corrections derived",
    quantity="largest relative fall below an earlier maximum",
    tolerance=f"none beyond the derived corrections, which are the bound, and {_ROUNDING}",
    panels=("theory_margin", "normalized_margin"),
    needs=(two_layer,),
)
def gamma_b(study: Study, run: Run) -> Finding:
    def judge(drawdown: float) -> Finding:
        allowed = bounds.gamma_b_fall(
            study.smoothness,
            study.n,
            run.stepsize,
            run.facts["stable_threshold"],
            run.stable.index.to_numpy() - run.stable_step,
            run.stable["loss"].to_numpy(),
            run.stable["param_norm"].to_numpy(),
        )
        if math.isinf(allowed):
            return undecided("too few recorded steps near the start of the stable phase")
        kappa = study.smoothness.kappa / run.stable["param_norm"].to_numpy()
        allowed += _rounding_of_margins(study, run)
        return at_most(drawdown / (smooth_margins(run, study.n) - kappa).max(), allowed)

    return _over_all_steps(run, "gamma_b_drawdown", judge)


@claim_per_run(
    id="thm22-gamma-a",
    statement="In the stable phase the smooth margin ln(1/(n L)) / ||w|| does not fall either.",
    source="ours: observed in every run, not proved",
    quantity="largest relative fall below an earlier maximum",
    tolerance=f"{_ROUNDING}, twice, over ln(1/(n L)) - kappa",
    panels=("theory_margin", "normalized_margin"),
    needs=(two_layer,),
)
def gamma_a(study: Study, run: Run) -> Finding:
    def judge(drawdown: float) -> Finding:
        fall = drawdown / smooth_margins(run, study.n).max()
        return at_most(fall, _rounding_of_margins(study, run))

    return _over_all_steps(run, "gamma_a_drawdown", judge)


@claim_per_run(
    id="thm22-margin-nearly-grows",
    statement="In the stable phase the normalized margin nearly increases: it exceeds the smooth "
    "margin by ln(k)/||w||, k the effective number of samples at the margin, and falls by no more.",
    source="paper, Theorem 2.2 and Figure 2 (c); the size of the fall derived",
    quantity="largest fall of the normalized margin below an earlier maximum",
    tolerance=f"{_ROUNDING}, over ||w||",
    panels=("theory_margin", "normalized_margin"),
    needs=(two_layer,),
)
def margin_nearly_grows(study: Study, run: Run) -> Finding:
    def judge(drawdown: float) -> Finding:
        excess = run.stable["normalized_margin"].to_numpy() - smooth_margins(run, study.n)
        # With k = 1 the excess is below 0, by a part of n L: the logistic loss is not exponential.
        largest = excess.max() - min(excess.min(), 0) + run.facts["gamma_a_drawdown"]
        return at_most(drawdown, largest + 2 * (run.rounding / run.stable["param_norm"]).max())

    return _over_all_steps(run, "normalized_margin_drawdown", judge)
