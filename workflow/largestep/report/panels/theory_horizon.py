"""Corollary 4.2 and the lower bound: the loss after T steps, for stepsizes that know T."""

import numpy as np
from matplotlib.axes import Axes

from largestep.claims import horizon
from largestep.claims.evidence import by_seed, runs_of
from largestep.report import style
from largestep.report.panels import curves, theory_parts

TITLE = "Loss after T steps"
CAPTION = (
    "The loss after T steps, with stepsizes proportional to T and with the best constant stepsize "
    "under which the loss is monotone. Compare with the grey lines: Corollary 4.2 has 1/T^2 for "
    "large T, Theorem 4.3 no better than 1/T on two given points."
)
_MOST_PROPORTIONS = 2


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    seeds = by_seed(runs_of(scene.trajectories, scene.runs))
    lowest: dict[int, float] = {}
    for c, marker in zip(_proportions(seeds), "ov", strict=False):
        lowest = _over_seeds([horizon.losses_at(runs, c) for runs in seeds])
        _line(ax, lowest, rf"$\eta = {c:g}\,T$", marker=marker, color=style.INK)
    best = _over_seeds([horizon.best_monotone(runs) for runs in seeds])
    _line(ax, best, "best monotone", marker="s", color=style.ALERT)
    _slope(ax, best, -1, 3)
    _slope(ax, lowest, -2, 1 / 30)
    ax.set_ylim(top=3 * ax.get_ylim()[1])  # room for the names of the guide lines
    ax.set(xlabel="number of steps $T$", ylabel="training loss $L(w_T)$")


def _proportions(seeds: list) -> list[float]:
    """The factors c of eta = c T that reach the largest T; of equals, those that have most T."""
    if not seeds:
        return []
    reached = {c: horizon.losses_at(seeds[0], c) for c in horizon.factors(seeds[0])}
    ranked = sorted(reached, key=lambda c: (-max(reached[c]), -len(reached[c])))
    return sorted(ranked[:_MOST_PROPORTIONS])


def _over_seeds(found: list[dict[int, float]]) -> dict[int, float]:
    """Geometric means at the T that every seed has."""
    common = set.intersection(*map(set, found)) if found else set()
    return {T: float(np.exp(np.mean([np.log(f[T]) for f in found]))) for T in sorted(common)}


def _line(ax: Axes, losses: dict[int, float], label: str, **look) -> None:
    if losses:
        look |= {"markersize": 4, "linewidth": 1.1, "label": label}
        ax.plot(list(losses), list(losses.values()), **look)


def _slope(ax: Axes, losses: dict[int, float], slope: int, factor: float) -> None:
    """A line of this slope beside the one through `losses`."""
    if losses:
        T = np.array([min(losses), max(losses)], dtype=float)
        guide = factor * losses[max(losses)] * (T / T[1]) ** slope
        theory_parts.guide(ax, T, guide, rf"$\propto T^{{{slope}}}$", at=-1 if slope < -1 else 0)
