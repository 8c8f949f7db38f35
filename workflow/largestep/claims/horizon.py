"""Corollary 4.2 and the lower bound: the best loss that a budget of T steps can buy."""

import math
from collections.abc import Iterator

import numpy as np

from largestep.claims.claim import claim, leaky, papers_method, separable, two_layer
from largestep.claims.evidence import Run, Study
from largestep.claims.statistics import half_interval, log_log_slope
from largestep.claims.transition import on_theory_set
from largestep.claims.verdicts import Finding, Verdict, at_least, at_most, left_open, undecided
from largestep.theory import bounds

_FEWEST_POINTS = 5
#: Slopes of log L(w_T) against log T: 1/T^2 and 1/T, with 0.1 for a factor log T.
FAST, SLOW = -1.9, -1.1


def losses_at(runs: list[Run], c: float) -> dict[int, float]:
    """L(w_T) of the runs with eta = c T, by T, a power of two not before their separation."""
    found = {}
    for run in runs:
        T, separated = round(run.eta / c), run.facts["separation_step"]
        proportional = T in run.octaves.index and math.isclose(run.eta, c * T, rel_tol=1e-9)
        if proportional and separated is not None and separated <= T:
            found[T] = run.octaves.at[T, "loss"]
    return found


def factors(runs: list[Run]) -> list[float]:
    """Every c for which at least five of the runs have eta = c T."""
    grid = ((run.eta, T) for run in runs if run.eta for T in run.octaves.index)
    candidates = {float(f"{eta / T:.12g}") for eta, T in grid}
    return [c for c in sorted(candidates) if len(losses_at(runs, c)) >= _FEWEST_POINTS]


def local_slopes(losses: dict[int, float]) -> np.ndarray:
    """Slopes of log L(w_T) against log T between neighbouring T."""
    return np.diff(np.log(list(losses.values()))) / np.diff(np.log(list(losses)))


def _slope(losses: dict[int, float]) -> tuple[float, float]:
    """Of the whole sweep, with half its interval."""
    return log_log_slope([(list(losses), list(losses.values()))])


def _words(losses: dict[int, float]) -> str:
    slope, half = _slope(losses)
    return f"T = {min(losses):,} to {max(losses):,}: slope {slope:.4g} +- {half:.2g}"


def fast(losses: dict[int, float], **details) -> Finding:
    """Whether losses by T fall at least like 1/T^2 from each T to the next."""
    return at_most(local_slopes(losses).max(), FAST, **details)


def slow(losses: dict[int, float], **details) -> Finding:
    """Whether losses by T nowhere fall faster than 1/T."""
    return at_least(local_slopes(losses).min(), SLOW, **details)


@claim(
    id="cor42-quadratic",
    statement="With a stepsize proportional to the number of steps, eta = c T, the loss after T "
    "steps falls like 1/T^2 or faster.",
    origin="extension",
    source="ours, after Corollary 4.2: its own eta / T is alpha^2 gamma^2 / (256 (1 + 4 kappa) "
    "(8 + 4 B)), for T beyond what any run here has",
    quantity="largest slope of log L(w_T) against log T between neighbouring T",
    tolerance="0.1, in the bound -1.9: a factor log T changes the slope by that much or more; "
    "contradicted only where the slope over all T, with its 95% interval, is flatter as well",
    panels=("theory_horizon",),
    reads=on_theory_set,
    needs=(papers_method, two_layer, leaky, separable),
)
def quadratic(study: Study) -> Iterator[Finding]:
    across = _across_seeds(study)
    for runs in study.seeds:
        for c in factors(runs):
            losses = losses_at(runs, c)
            slope, half = _slope(losses)
            note = "; ".join(filter(None, (f"eta = {c:g} T, {_words(losses)}", across.get(c))))
            details = {"seed": runs[0].seed, "runs": len(losses), "note": note}
            found = fast(losses, **details)
            if found.verdict is Verdict.VIOLATED:
                if not _beyond_transition(study, losses, c):
                    found = left_open(found, "T before the transition time", "more steps")
                elif slope - half <= FAST:
                    found = left_open(found, "flatter only between some T", "larger T")
            yield found


def _across_seeds(study: Study) -> dict[float, str]:
    """For every c, the mean over seeds of the slope over all T, in words."""
    slopes: dict[float, list[float]] = {}
    for runs in study.seeds:
        for c in factors(runs):
            slopes.setdefault(c, []).append(_slope(losses_at(runs, c))[0])
    return {
        c: f"mean of {len(each)} seeds {np.mean(each):.4g} +- {half_interval(each):.2g} (95%)"
        for c, each in slopes.items()
        if len(each) > 1
    }


def _beyond_transition(study: Study, losses: dict[int, float], c: float) -> bool:
    """Whether the slope over the T beyond Theorem 4.1's tau is too flat as well."""

    def tau(T: int) -> float:
        return bounds.phase_time(study.model, study.samples.X, c * T)

    late = {T: loss for T, loss in losses.items() if tau(T) <= T}
    return len(late) >= 3 and _slope(late)[0] > FAST


@claim(
    id="monotone-lower-bound",
    statement="A constant stepsize under which the loss is monotone cannot do so: the best of "
    "them reaches 1/T and no more.",
    origin="extension",
    source="ours, after Theorem 4.3, which is about two given points and initial weights 0; "
    "constant stepsizes only",
    quantity="smallest slope of log of the best monotone run's L(w_T) against log T between "
    "neighbouring T",
    tolerance="0.1, in the bound -1.1, as for Corollary 4.2; contradicted only where the slope "
    "over all T, with its 95% interval, is steeper as well",
    panels=("theory_horizon",),
    reads=lambda experiment: on_theory_set(experiment) and len(experiment.stepsizes) >= 10,
    needs=(papers_method, two_layer, leaky, separable),
)
def lower_bound(study: Study) -> Iterator[Finding]:
    for grid in study.grids:
        runs = [run for run in grid if run.diverged_step is None]
        losses = best_monotone(runs)
        details = {"seed": grid[0].seed, "runs": len(grid)}
        if not grid[-1].increases:
            yield undecided("every stepsize is monotone", "larger stepsizes", **details)
        elif len(losses) < _FEWEST_POINTS:
            yield undecided("fewer than five T after interpolation", "more steps", **details)
        else:
            slope, half = _slope(losses)
            found = slow(losses, note=_words(losses), **details)
            if found.verdict is Verdict.VIOLATED and slope + half >= SLOW:
                found = left_open(found, "steeper only between some T", "larger T")
            yield found


def best_monotone(runs: list[Run]) -> dict[int, float]:
    """Least L(w_T) over the runs whose loss is monotone, by T, from their interpolation step on."""
    losses: dict[int, float] = {}
    for run in runs:
        fitted = run.facts["separation_step"]
        if not run.increases and fitted is not None:
            for T, loss in run.octaves["loss"].loc[fitted:].items():
                losses[T] = min(loss, losses.get(T, math.inf))
    return dict(sorted(losses.items()))
