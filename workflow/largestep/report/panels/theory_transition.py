"""Theorem 4.1: the first step of the stable phase against the stepsize."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from largestep.report import style
from largestep.report.panels import curves, theory_parts
from largestep.theory import bounds

TITLE = "Phase transition"
CAPTION = (
    "The step s at which the stable phase begins, for each stepsize and seed; Theorem 4.1 bounds "
    "it from above. Up to c2 n / c1 (dotted) the threshold is the same for all stepsizes: compare "
    "with the grey line, 1/eta, and beyond with a level one. A catapult may throw the loss down."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    runs = scene.runs.dropna(subset=["stable_phase_step", "eta"]).sort_values("eta")
    runs = runs[runs["stable_phase_step"] > 0]
    ax.plot(runs["eta"], runs["stable_phase_step"], **curves.STABLE | {"color": style.INK})
    samples = theory_parts.samples(scene)
    if samples and not runs.empty:
        _branches(ax, scene, samples[0], runs)
    ax.set_ylim(top=1.6 * ax.get_ylim()[1])  # room for the line's name
    for axis in (ax.xaxis, ax.yaxis):
        low, high = axis.get_view_interval()
        if high < 60 * low:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    ax.set(xlabel=r"stepsize $\eta$", ylabel="transition step $s$")


def _branches(ax: Axes, scene: curves.Scene, X: np.ndarray, runs) -> None:
    """The branch 1/eta through the smallest stepsizes, and where it should end."""
    c1, c2 = bounds.phase_constants(scene.experiment.model, X)
    edge = c2 * len(X) / c1
    branch = runs[runs["eta"] <= edge / 3]
    if not branch.empty:
        first = branch["eta"].min()
        height = np.exp(np.log(branch["stable_phase_step"] * branch["eta"]).mean())
        eta = np.array([first, max(edge, first)])
        theory_parts.guide(ax, eta, 1.3 * height / eta, r"$\propto 1/\eta$")
    ax.axvline(edge, color=style.FAINT, linewidth=0.9, linestyle=":", zorder=1)
    theory_parts.note(ax, edge, runs["stable_phase_step"].min(), r"$c_2 n / c_1$")
