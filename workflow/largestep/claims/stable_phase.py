"""Theorem 2.2: what holds at every step once the loss is under the threshold."""

import math
from collections.abc import Callable

import numpy as np

from largestep.claims.claim import (
    claim_per_run,
    decides_nothing,
    leaky,
    papers_method,
    separable,
    smooth,
    two_layer,
)
from largestep.claims.evidence import Run, Study
from largestep.claims.verdicts import (
    Finding,
    Verdict,
    at_least,
    at_most,
    count,
    left_open,
    undecided,
    unless_rounding,
)
from largestep.theory import bounds

_ROUNDING = "32 units of rounding of the loss, each 1 + |ln L| + rho ||w||"
_INCONCLUSIVE = "none; inconclusive within rounding: "

#: By which share of its value a margin that nearly increases may decrease (our choice).
_NEARLY = 0.05


def left_the_phase(study: Study, run: Run) -> Finding:
    """A run that diverged after its stable phase began contradicts all that is said of it."""
    if run.stable_step is None:
        return decides_nothing(study, run)
    note = f"diverged at step {run.diverged_step:,}, after the stable phase began"
    return Finding(Verdict.VIOLATED, note=note, step=run.diverged_step)


def _never_got_there(study: Study, run: Run) -> Finding:
    """Theorem 3.2 bounds the mean loss at every step: nothing can diverge where it applies."""
    note = f"diverged at step {run.diverged_step:,}"
    return Finding(Verdict.VIOLATED, note=note, step=run.diverged_step)


@claim_per_run(
    id="thm22-threshold",
    statement="On separable data the loss falls below Theorem 2.2's threshold, where the stable "
    "phase begins, by the step at which Theorem 3.2's bound gets there.",
    origin="derived",
    source="derived, from Theorems 2.2 and 3.2",
    quantity="first step under the threshold, against the step by which it must have come",
    tolerance="none",
    panels=("theory_loss", "loss"),
    needs=(papers_method, two_layer, smooth, leaky, separable),
    diverged=_never_got_there,
)
def threshold(study: Study, run: Run) -> Finding:
    start, level = run.rows["param_norm"].iloc[0], run.facts["stable_threshold"]
    latest = bounds.transition_step(study.separable, run.stepsize, start, level)
    if run.stable_step is None and latest > run.last_step:
        return not_yet(run)
    return at_most(run.last_step + 1 if run.stable_step is None else run.stable_step, latest)


def phase_missing(run: Run) -> Finding | None:
    """Why the run has no stable phase to look at; None where it has."""
    if run.stable_step is None:
        return not_yet(run)
    if run.stable.empty:
        note = "rounding froze the run at the first step of its stable phase"
        return undecided(note, "a dtype of more digits")
    return None


def not_yet(run: Run) -> Finding:
    """For a run that has not reached its stable phase; the estimate lets the loss fall like 1/t."""
    loss, level = run.last["loss"], run.facts["stable_threshold"]
    needed = count(run.last_step * max(loss / level, 1))
    return undecided(
        f"the loss, {loss:.2g}, is not yet under the threshold {level:.2g}",
        f"about {needed} steps, falling like 1/t",
    )


def _over_all_steps(run: Run, column: str, judge: Callable[[float], Finding]) -> Finding:
    """Judge a quantity of runs.parquet that saw every step from s on."""
    if missing := phase_missing(run):
        return missing
    value = run.facts[column]
    if value is None:
        return undecided("a single step of the stable phase", "more steps")
    return judge(value)


def _unless_frozen(run: Run, found: Finding) -> Finding:
    """A fall is left open where rounding froze the run: drawdowns go on there, margins do not."""
    if found.verdict is Verdict.VIOLATED and run.facts["status"] == "frozen":
        return left_open(found, "rounding froze the run", "a dtype of more digits")
    return found


@claim_per_run(
    id="thm22-loss-falls",
    statement="In the stable phase every step decreases the loss.",
    origin="paper",
    source="paper, Theorem 2.2",
    quantity="largest (L_{t+1} - L_t) / L_t",
    tolerance=f"{_INCONCLUSIVE}{_ROUNDING}",
    panels=("theory_loss", "loss"),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def loss_falls(study: Study, run: Run) -> Finding:
    def judge(rise: float) -> Finding:
        return unless_rounding(at_most(rise, 0), run.rounding.max())

    return _over_all_steps(run, "largest_loss_rise", judge)


@claim_per_run(
    id="thm22-descent",
    statement="In the stable phase every step decreases the loss by at least half the stepsize "
    "times the squared gradient norm.",
    origin="paper",
    source="paper, Theorem 2.2 (Lemma A.3)",
    quantity="smallest (L_t - L_{t+1}) / (stepsize ||grad L_t||^2)",
    tolerance=f"{_INCONCLUSIVE}{_ROUNDING}, twice, over the smallest relative fall",
    panels=("theory_loss", "loss"),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def descent(study: Study, run: Run) -> Finding:
    def judge(ratio: float) -> Finding:
        falls = run.stepsize * run.stable["grad_norm"] ** 2 / run.stable["loss"]
        return unless_rounding(at_least(ratio, 0.5), 2 * run.rounding.max() / falls.min())

    return _over_all_steps(run, "smallest_descent_ratio", judge)


@claim_per_run(
    id="thm22-norm-grows",
    statement="In the stable phase every step increases ||w||.",
    origin="paper",
    source="paper, Theorem 2.2",
    quantity="smallest ||w_{t+1}|| / ||w_t|| - 1",
    tolerance=f"{_INCONCLUSIVE}32 units of rounding of the norm",
    panels=("theory_norm",),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def norm_grows(study: Study, run: Run) -> Finding:
    def judge(growth: float) -> Finding:
        return unless_rounding(at_least(growth, 0), 32 * np.finfo(run.facts["dtype"]).eps)

    return _over_all_steps(run, "smallest_norm_growth", judge)


@claim_per_run(
    id="thm22-margin-positive",
    statement="In the stable phase every sample is correctly classified.",
    origin="paper",
    source="paper, Theorem 2.2",
    quantity="smallest normalized margin at a recorded step of the stable phase",
    tolerance="none",
    panels=("theory_margin", "normalized_margin"),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
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
    """Relative error of the fall of a smoothed margin by rounding."""
    excess = -np.log(study.n * run.stable["loss"].max()) - study.smoothness.kappa
    return 2 * run.rounding.max() / excess


@claim_per_run(
    id="thm22-modified-margin",
    statement="In the stable phase the paper's modified margin gamma^c increases.",
    origin="paper",
    source="paper, Theorem 2.2; gamma^c is (10) in Appendix A.3",
    quantity="smallest gain of ln gamma^c from one recorded step to the next",
    tolerance=f"{_INCONCLUSIVE}{_ROUNDING}, times the slope of ln gamma^c against ln L",
    panels=("theory_margin", "normalized_margin"),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def modified_margin_grows(study: Study, run: Run) -> Finding:
    if len(run.stable) < 2:
        note = "a single recorded step of the stable phase"
        return phase_missing(run) or undecided(note, "more steps")
    f, loss = study.smoothness, run.stable["loss"].to_numpy()
    norm = run.stable["param_norm"].to_numpy()
    gains = np.diff(bounds.modified_margin(f, study.n, run.stepsize, loss, norm))
    worst = int(gains.argmin())
    found = at_least(gains[worst], 0, step=int(run.stable.index[1 + worst]))
    excess = -np.log(2 * study.n * loss.max()) - f.kappa
    slope = 1 / excess + (1 + (4 * f.rho2 + 2 * f.beta) * run.stepsize) / excess**2
    return unless_rounding(found, 2 * run.rounding.max() * (1 + slope))


@claim_per_run(
    id="thm22-gamma-b",
    statement="In the stable phase the smoothed margin (ln(1/(n L)) - kappa) / ||w|| does not "
    "decrease, up to the corrections of finite steps and of the logistic loss.",
    origin="derived",
    source="derived, as Theorem 2.2 is, without a correction in the margin itself",
    quantity="largest relative fall below an earlier maximum",
    tolerance=f"none beyond the derived corrections, which are the bound, and {_ROUNDING}",
    panels=("theory_margin", "normalized_margin"),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def gamma_b(study: Study, run: Run) -> Finding:
    def judge(drawdown: float) -> Finding:
        allowed = _gamma_b_fall(study, run)
        if math.isinf(allowed):
            note = "too few recorded steps near the start of the stable phase"
            return undecided(note, "a run whose stable phase begins with shorter steps")
        kappa = study.smoothness.kappa / run.stable["param_norm"].to_numpy()
        allowed += _rounding_of_margins(study, run)
        found = at_most(drawdown / (smooth_margins(run, study.n) - kappa).max(), allowed)
        return _unless_frozen(run, found)

    return _over_all_steps(run, "gamma_b_drawdown", judge)


@claim_per_run(
    id="thm22-gamma-a",
    statement="In the stable phase the smoothed margin ln(1/(n L)) / ||w|| does not decrease.",
    origin="extension",
    source="ours: observed in every run, not proved",
    quantity="largest relative fall below an earlier maximum",
    tolerance=f"{_ROUNDING}, twice, over ln(1/(n L)) - kappa",
    panels=("theory_margin", "normalized_margin"),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def gamma_a(study: Study, run: Run) -> Finding:
    def judge(drawdown: float) -> Finding:
        fall = drawdown / smooth_margins(run, study.n).max()
        return _unless_frozen(run, at_most(fall, _rounding_of_margins(study, run)))

    return _over_all_steps(run, "gamma_a_drawdown", judge)


@claim_per_run(
    id="thm22-margin-nearly-grows",
    statement="In the stable phase the normalized margin nearly increases: it ends above where it "
    "began, and never decreases by more than a twentieth of its value.",
    origin="paper",
    source="paper, Theorem 2.2 and Figure 2 (c), (f); the twentieth is our choice, how far it may "
    "decrease at most is derived",
    quantity="largest decrease below an earlier maximum, over the least margin of the phase",
    tolerance="a twentieth; from there to what the theorem allows it is left open, beyond it "
    "contradicts",
    panels=("theory_margin", "normalized_margin"),
    needs=(papers_method, two_layer, smooth),
    diverged=left_the_phase,
)
def margin_nearly_grows(study: Study, run: Run) -> Finding:
    def judge(drawdown: float) -> Finding:
        margins = run.stable["normalized_margin"]
        found = at_most(drawdown / abs(margins.min()), _NEARLY, step=int(margins.idxmin()))
        grown = margins.iloc[-1] >= margins.iloc[0]
        if found.verdict is Verdict.HOLDS and grown:
            return found
        if found.verdict is Verdict.HOLDS or drawdown <= _margin_fall(study, run):
            return left_open(found, "the margin has not grown" if not grown else "", "more steps")
        return found

    return _over_all_steps(run, "normalized_margin_drawdown", judge)


def _margin_fall(study: Study, run: Run) -> float:
    """How far the normalized margin can decrease in the stable phase by Theorem 2.2 (derived).

    It is between gamma_a - n L/||w|| and gamma_a + ln n/||w||, as n L is between the largest
    sample's loss and n times it; gamma_b = gamma_a - kappa/||w|| falls by `gamma_b_fall` at most.
    """
    share = _gamma_b_fall(study, run)
    most = run.stable["normalized_margin"].max()
    return (
        share * most
        + (math.log(study.n) + study.smoothness.kappa + 1) / (run.stable["param_norm"].iloc[0])
    )


def _gamma_b_fall(study: Study, run: Run) -> float:
    """The share of its value that gamma_b may lose."""
    return bounds.gamma_b_fall(
        study.smoothness,
        study.n,
        run.stepsize,
        run.facts["stable_threshold"],
        run.stable.index.to_numpy() - run.stable_step,
        run.stable["loss"].to_numpy(),
        run.stable["param_norm"].to_numpy(),
    )
