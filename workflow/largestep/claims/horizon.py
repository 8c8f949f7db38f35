"""Corollary 4.2 and the lower bound: the best loss that a budget of T steps can buy."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from largestep.claims.claim import claim, leaky, separable, two_layer
from largestep.claims.evidence import Run, Study
from largestep.claims.transition import on_theory_set
from largestep.claims.verdicts import Finding, Verdict, at_least, at_most, undecided
from largestep.theory import bounds

_FEWEST_POINTS = 5


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


def log_log_slope(losses: dict[int, float]) -> float:
    return float(np.polyfit(np.log(list(losses)), np.log(list(losses.values())), 1)[0])


@claim(
    id="cor42-quadratic",
    statement="With a stepsize proportional to the number of steps, eta = c T, the loss after T "
    "steps falls like 1/T^2 or faster.",
    source="paper, Corollary 4.2",
    quantity="slope of log L(w_T) against log T",
    tolerance="0.1, in the bound -1.9: a factor log T changes the slope by that much or more",
    panels=("theory_horizon",),
    reads=on_theory_set,
    needs=(two_layer, leaky, separable),
)
def quadratic(study: Study) -> Iterator[Finding]:
    for runs in study.seeds:
        for c in factors(runs):
            losses = losses_at(runs, c)
            details = {"seed": runs[0].seed, "runs": len(losses)}
            found = at_most(log_log_slope(losses), -1.9, note=f"eta = {c:g} T", **details)
            if found.verdict is Verdict.VIOLATED and not _beyond_transition(study, losses, c):
                note = f"{found.note}: T is not yet beyond the transition time; more steps"
                found = replace(found, verdict=Verdict.INCONCLUSIVE, note=note)
            yield found


def _beyond_transition(study: Study, losses: dict[int, float], c: float) -> bool:
    """Whether the slope over the T beyond Theorem 4.1's tau is too flat as well."""

    def tau(T: int) -> float:
        return bounds.phase_time(study.model, study.samples.X, c * T)

    late = {T: loss for T, loss in losses.items() if tau(T) <= T}
    return len(late) >= 3 and log_log_slope(late) > -1.9


@claim(
    id="monotone-lower-bound",
    statement="A constant stepsize under which the loss never rises cannot do so: the best of "
    "them reaches 1/T and no more.",
    source="paper, lower bound for monotone stepsizes; constant stepsizes only",
    quantity="slope of log of the best monotone run's L(w_T) against log T",
    tolerance="0.1, in the bound -1.1, as for Corollary 4.2",
    panels=("theory_horizon",),
    reads=lambda experiment: on_theory_set(experiment) and len(experiment.stepsizes) >= 10,
    needs=(two_layer, leaky, separable),
)
def lower_bound(study: Study) -> Iterator[Finding]:
    for runs in study.seeds:
        losses = best_monotone(runs)
        details = {"seed": runs[0].seed, "runs": len(runs)}
        if not runs[-1].facts["increases"]:
            yield undecided(
                "every stepsize is monotone; larger ones would show the best", **details
            )
        elif len(losses) < _FEWEST_POINTS:
            yield undecided("fewer than five T after separation; more steps", **details)
        else:
            yield at_least(log_log_slope(losses), -1.1, **details)


def best_monotone(runs: list[Run]) -> dict[int, float]:
    """Least L(w_T) over the runs whose loss never rose, by T, from their separation on."""
    losses: dict[int, float] = {}
    for run in runs:
        if not run.facts["increases"] and run.facts["separation_step"]:
            for T, loss in run.octaves["loss"].loc[run.facts["separation_step"] :].items():
                losses[T] = min(loss, losses.get(T, math.inf))
    return dict(sorted(losses.items()))
