"""Theorem 2.2: the direction of the weights converges."""

import numpy as np
from matplotlib.axes import Axes

from largestep.report.panels import curves, theory_parts

TITLE = "Direction"
CAPTION = (
    "The angle between the weights at steps t and t/2, t a power of two. It closes if the "
    "direction converges, which the paper leaves open; the grey line falls like 1/(log t)^2."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    rows = scene.trajectories
    angle = np.arccos(rows["cosine_to_half"].clip(-1, 1))
    curves.draw(ax, scene, angle, mark="stable")
    last = rows.loc[angle.notna(), "step"].max()
    steps = np.geomspace(max(last / 100, 4), last)
    level = angle[rows["step"] == last].max() * 1.5
    closing = level * (np.log(last) / np.log(steps)) ** 2
    theory_parts.guide(ax, steps, closing, r"$\propto 1/(\log t)^2$")
    ax.set(ylabel=r"angle of $w_t$ and $w_{t/2}$")
