"""Theorems 3.2 and 4.1: the loss before the stable phase, and how soon that phase comes."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from largestep.claims.claim import (
    claim,
    claim_per_run,
    hypothesis,
    leaky,
    papers_method,
    separable,
    smooth,
    two_layer,
)
from largestep.claims.evidence import Run, Study
from largestep.claims.stable_phase import left_the_phase, not_yet, phase_missing
from largestep.claims.statistics import log_log_slope
from largestep.claims.verdicts import Finding, Verdict, at_least, at_most, left_open, undecided
from largestep.configuration.experiment import Experiment
from largestep.theory import bounds

_RIGOROUS = "rounding of a sum of t numbers, t times the unit round-off"


def _unbounded(study: Study, run: Run) -> Finding:
    """The bounds hold at every step whatever the stepsize: a run that diverged is beyond them."""
    note = f"diverged at step {run.diverged_step:,}, where the bound is finite"
    return Finding(Verdict.VIOLATED, note=note, step=run.diverged_step)


def _largest_ratio(run: Run, measured: np.ndarray, bound: np.ndarray) -> Finding:
    steps = run.rows.index.to_numpy()[1:]
    ratio = measured / bound
    worst = int(ratio.argmax())
    bound = 1 + steps[worst] * np.finfo(np.float64).eps
    note = f"the bound is {1 / ratio[worst]:.3g} times the measured value where it is closest"
    return at_most(ratio[worst], bound, step=int(steps[worst]), note=note)


@claim_per_run(
    id="thm32-mean-loss",
    statement="At every step the mean loss so far is below the bound, whatever the stepsize.",
    origin="paper",
    source="paper, Theorem 3.2; in a form that is never above the paper's, derived",
    quantity="largest ratio of the running mean loss to its bound",
    tolerance=_RIGOROUS,
    panels=("theory_mean_loss",),
    needs=(papers_method, two_layer, leaky, separable),
    diverged=_unbounded,
)
def mean_loss(study: Study, run: Run) -> Finding | None:
    rows = run.rows.iloc[1:]
    if rows.empty:
        return None
    start = run.rows["param_norm"].iloc[0]
    bound = bounds.mean_loss(study.separable, run.stepsize, start, rows.index.to_numpy())
    return _largest_ratio(run, rows["running_mean_loss"].to_numpy(), bound)


@claim_per_run(
    id="thm41-count",
    statement="At every step the sum so far of G, the mean of |l'|, is below what the distance "
    "from the initial weights allows; as G >= min(L/2, 1/(2n)), the loss cannot stay high.",
    origin="derived",
    source="paper, Theorem 4.1 (Lemma C.3); rigorous form derived",
    quantity="largest ratio of sum G to sqrt(m) ||w_t - w_0|| / (stepsize alpha gamma |c|_1)",
    tolerance=_RIGOROUS,
    panels=("theory_transition",),
    needs=(papers_method, two_layer, leaky, separable),
    diverged=_unbounded,
)
def slope_count(study: Study, run: Run) -> Finding | None:
    rows = run.rows.iloc[1:]
    if rows.empty:
        return None
    total = rows["running_mean_slope"].to_numpy() * rows.index.to_numpy()
    bound = bounds.slope_sum(study.separable, run.stepsize, rows["displacement"].to_numpy())
    found = _largest_ratio(run, total, bound)
    if found.verdict is Verdict.VIOLATED and rows["moving_fraction"].min() < 1:
        return left_open(found, "rounding held some weights back", "a dtype of more digits")
    return found


@hypothesis("the paper's normalization: ||x_i|| <= 1, |phi'| <= 1, output weights +-1/m")
def normalized(study: Study) -> str | None:
    model, largest = study.model, float(np.linalg.norm(study.samples.X, axis=1).max())
    if largest > 1 + 1e-9:
        return f"the largest ||x_i|| is {largest:.4g}, not at most 1"
    if (lip := model.activation.constants().lip) > 1 + 1e-9:
        return f"sup |phi'| is {lip:.4g}, not at most 1"
    if not np.allclose(np.abs(model.head) * model.m, 1):
        return "the output weights are not +-1/m"
    return None


def _paper_net(study: Study) -> bounds.PaperNet:
    phi = study.model.activation.constants()
    return bounds.PaperNet(phi.alpha, phi.kappa, phi.curvature, study.samples.margin, study.model.m)


@claim_per_run(
    id="thm41-time",
    statement="The stable phase begins by the step tau that the theorem names, its constants "
    "included.",
    origin="paper",
    source="paper, Theorem 4.1, with tau as its proof (Appendix C.1) has it",
    quantity="s, the first step under Theorem 2.2's threshold, against tau",
    tolerance="none; tau is far from sharp, and says so in the note",
    panels=("theory_transition",),
    needs=(papers_method, two_layer, smooth, leaky, separable, normalized),
    diverged=_unbounded,
)
def transition_time(study: Study, run: Run) -> Finding:
    start = run.rows["param_norm"].iloc[0]
    latest = bounds.latest_transition(_paper_net(study), study.n, run.eta, start)
    if run.stable_step is None and latest > run.last_step:
        return not_yet(run)
    step = run.last_step + 1 if run.stable_step is None else run.stable_step
    return at_most(step, latest, note=f"tau is {latest / max(step, 1):.2g} times s")


@claim_per_run(
    id="thm41-risk",
    statement="From s on the loss is below 2 / ((alpha gamma)^2 eta (t - s)), gamma the data's "
    "margin.",
    origin="paper",
    source="paper, Theorem 4.1, second part",
    quantity="largest ratio of the loss to that bound at a recorded step after s",
    tolerance="none",
    panels=("theory_loss", "loss"),
    needs=(papers_method, two_layer, smooth, leaky, separable, normalized),
    diverged=left_the_phase,
)
def late_risk(study: Study, run: Run) -> Finding:
    if missing := phase_missing(run):
        return missing
    loss = run.rows["loss"].loc[run.stable_step + 1 :]
    if loss.empty:
        return undecided("no recorded step after s", "more steps")
    elapsed = loss.index.to_numpy() - run.stable_step
    ratio = loss / bounds.late_loss(_paper_net(study), run.eta, elapsed)
    note = f"the bound is {1 / ratio.max():.3g} times the loss where it is closest"
    return at_most(ratio.max(), 1, step=int(ratio.idxmax()), note=note)


def on_theory_set(experiment: Experiment) -> bool:
    """Sweeps over eta are judged on the margin generator alone, where branches are clear."""
    return experiment.dataset.source == "margin"


def crossing(study: Study) -> float:
    """eta at which c1 eta = c2 n: where the threshold stops being 1 / (c2 n)."""
    c1, c2 = bounds.phase_constants(study.model, study.samples.X)
    return c2 * study.n / c1


def _branch(
    study: Study, low: float, high: float, enough: int
) -> tuple[float, float, list[int]] | Finding | None:
    """Slope of log s against log eta for low <= eta <= high, half its interval, and every s.

    All seeds together. A finding where too few runs reached the stable phase, or where those that
    did are not the larger stepsizes: then the slope would be that of the survivors. None where
    the grid has too few such stepsizes.
    """
    grids = [[run for run in runs if low <= run.eta <= high] for runs in study.grids]
    grids = [runs for runs in grids if len(runs) >= enough]
    if not grids:
        return None
    runs = sum(map(len, grids))
    between = f"eta between {low:.3g} and {high:.3g}"
    reached = [[run for run in runs if _reached(run)] for runs in grids]
    for inside, there in zip(grids, reached, strict=True):
        if any(run.diverged_step is not None for run in inside):
            note = f"a stepsize with {between} diverged"
            return undecided(note, "no number of steps", runs=runs)
        if len(there) < enough:
            note = f"{len(there)} of {len(inside)} stepsizes with {between} reached s"
            return undecided(note, f"more steps: {enough} stepsizes are needed", runs=runs)
        if there != inside[-len(there) :]:
            note = f"of the stepsizes with {between}, a smaller one reached s, a larger one did not"
            return undecided(note, "more steps", runs=runs)
    slope, half = log_log_slope(
        [([run.eta for run in there], [run.stable_step for run in there]) for there in reached]
    )
    return slope, half, [run.stable_step for there in reached for run in there]


def _reached(run: Run) -> bool:
    return run.stable_step is not None and run.stable_step > 0 and run.diverged_step is None


def beyond_interval(found: Finding, half: float) -> Finding:
    """The finding, left open where its slack is within the interval of what was measured."""
    interval = f"+- {half:.2g} (95%)"
    if abs(found.slack) > half:
        return replace(found, note="; ".join(filter(None, (found.note, interval))))
    return left_open(found, f"{interval}: the interval contains the bound", "more seeds")


@claim(
    id="thm41-slope",
    statement="While eta is well below c2 n / c1, the stable phase begins as early as 1/eta.",
    origin="extension",
    source="ours: Theorem 4.1 bounds s from above, by terms in eta, n and (n/eta) log(n/eta); "
    "up to eta = c2 n / (3 c1) is our choice",
    quantity="distance from -1 of the slope of log s against log eta",
    tolerance="0.15: the theorem's logarithm adds 1 / ln(c2 n), 0.14 for n = 50, to the slope; "
    "the slope's whole 95% interval must be inside",
    panels=("theory_transition",),
    reads=on_theory_set,
    needs=(papers_method, two_layer, smooth, leaky, separable),
)
def transition_slope(study: Study) -> Iterator[Finding]:
    found = _branch(study, 0, crossing(study) / 3, 3)
    if isinstance(found, Finding):
        yield found
    elif found:
        slope, half, steps = found
        note = f"slope {slope:.4g} over {len(steps)} runs"
        yield beyond_interval(like_one_over(slope, runs=len(steps), note=note), half)


def like_one_over(slope: float, **details) -> Finding:
    """Whether a slope against log eta is that of 1/eta."""
    return at_most(abs(slope + 1), 0.15, **details)


@claim(
    id="thm41-plateau",
    statement="Just beyond eta = c2 n / c1 a larger stepsize no longer brings the stable phase "
    "forward like 1/eta.",
    origin="extension",
    source="ours: the threshold of Theorem 2.2 changes there; eta from c2 n / c1 to twice that is "
    "our choice",
    quantity="slope of log s against log eta",
    tolerance="none: the slope's whole 95% interval must be above -1/2, which is midway between "
    "the branch 1/eta and a plateau",
    panels=("theory_transition",),
    reads=on_theory_set,
    needs=(papers_method, two_layer, smooth, leaky, separable),
)
def transition_plateau(study: Study) -> Iterator[Finding]:
    edge = crossing(study)
    found = _branch(study, edge, 2 * edge, 2)
    if isinstance(found, Finding):
        yield found
    elif found:
        slope, half, steps = found
        s = np.median(steps)
        note = f"{len(steps)} runs: s about {s:,.0f} = {s / study.n:.3g} n, from "
        note += f"eta = c2 n / c1 = {edge:.3g} = {edge / study.n:.3g} n on"
        yield beyond_interval(level(slope, runs=len(steps), note=note), half)


def level(slope: float, **details) -> Finding:
    """Whether a slope against log eta is nearer to that of a plateau than to that of 1/eta."""
    return at_least(slope, -0.5, **details)
