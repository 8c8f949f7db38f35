"""Theorems 3.2 and 4.1: the loss before the stable phase, and how soon that phase comes."""

import math
from collections.abc import Iterator

import numpy as np

from largestep.claims.claim import claim, claim_per_run, leaky, separable, two_layer
from largestep.claims.evidence import Run, Study
from largestep.claims.verdicts import Finding, at_least, at_most, undecided
from largestep.configuration.experiment import Experiment
from largestep.theory import bounds

_RIGOROUS = "rounding of a sum of t numbers, t times the unit round-off"


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
    source="paper, Theorem 3.2; rigorous form derived",
    quantity="largest ratio of the running mean loss to its bound",
    tolerance=_RIGOROUS,
    panels=("theory_mean_loss",),
    needs=(two_layer, leaky, separable),
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
    source="paper, Theorem 4.1; rigorous form derived",
    quantity="largest ratio of sum G to sqrt(m) ||w_t - w_0|| / (stepsize alpha gamma |c|_1)",
    tolerance=_RIGOROUS,
    panels=("theory_transition",),
    needs=(two_layer, leaky, separable),
)
def slope_count(study: Study, run: Run) -> Finding | None:
    rows = run.rows.iloc[1:]
    if rows.empty:
        return None
    total = rows["running_mean_slope"].to_numpy() * rows.index.to_numpy()
    bound = bounds.slope_sum(study.separable, run.stepsize, rows["displacement"].to_numpy())
    return _largest_ratio(run, total, bound)


def on_theory_set(experiment: Experiment) -> bool:
    """Sweeps over eta are judged on the margin generator alone, where branches are clear."""
    return experiment.dataset.source == "margin"


def crossing(study: Study) -> float:
    """eta at which c1 eta = c2 n: where the threshold stops being 1 / (c2 n)."""
    c1, c2 = bounds.phase_constants(study.model, study.samples.X)
    return c2 * study.n / c1


def _log_log_slope(runs: list[Run]) -> float:
    steps = [math.log(run.stable_step) for run in runs]
    return float(np.polyfit([math.log(run.eta) for run in runs], steps, 1)[0])


def _branch(study: Study, low: float, high: float, enough: int) -> Iterator[list[Run] | Finding]:
    """Per seed the runs with low <= eta <= high that reached the stable phase, or why not."""
    for runs in study.seeds:
        inside = [run for run in runs if low <= run.eta <= high]
        if len(inside) < enough:
            continue
        reached = [run for run in inside if run.stable_step]
        if len(reached) < enough:
            yield undecided(
                f"only {len(reached)} of {len(inside)} stepsizes with eta between {low:.3g} and "
                f"{high:.3g} reached the stable phase; {enough} are needed, with more steps",
                seed=runs[0].seed,
                runs=len(inside),
            )
        else:
            yield reached


@claim(
    id="thm41-slope",
    statement="While eta is well below c2 n / c1, the stable phase comes as early as 1/eta.",
    source="paper, Theorem 4.1; up to eta = c2 n / (3 c1) is our choice",
    quantity="distance from -1 of the slope of log s against log eta",
    tolerance="0.15: the theorem's logarithm adds 1 / ln(c2 n), 0.14 for n = 50, to the slope",
    panels=("theory_transition",),
    reads=on_theory_set,
    needs=(two_layer, leaky, separable),
)
def transition_slope(study: Study) -> Iterator[Finding]:
    for runs in _branch(study, 0, crossing(study) / 3, 3):
        if isinstance(runs, Finding):
            yield runs
            continue
        slope = _log_log_slope(runs)
        note = f"slope {slope:.4g} over {len(runs)} stepsizes"
        yield at_most(abs(slope + 1), 0.15, seed=runs[0].seed, runs=len(runs), note=note)


@claim(
    id="thm41-plateau",
    statement="Just beyond eta = c2 n / c1 a larger stepsize no longer brings the stable phase "
    "forward like 1/eta.",
    source="paper, Theorem 4.1; eta from c2 n / c1 to twice that is our choice",
    quantity="slope of log s against log eta",
    tolerance="none; the bound -1/2 is midway between the branch 1/eta and a plateau",
    panels=("theory_transition",),
    reads=on_theory_set,
    needs=(two_layer, leaky, separable),
)
def transition_plateau(study: Study) -> Iterator[Finding]:
    edge = crossing(study)
    for runs in _branch(study, edge, 2 * edge, 2):
        if isinstance(runs, Finding):
            yield runs
            continue
        slope = _log_log_slope(runs)
        yield at_least(slope, -0.5, seed=runs[0].seed, runs=len(runs))
