"""Theorem 2.2: the loss falls like 1/t once it is under the threshold."""

import numpy as np
from matplotlib.axes import Axes

from largestep.report.panels import curves, theory_parts

TITLE = "Training loss"
CAPTION = (
    "The loss and, dashed, 1/(eta_tilde t gamma^2), gamma the normalized margin: where it tends to "
    "if gradient and weights align. The stable phase begins at the diamond, the first step under "
    "Theorem 2.2's threshold."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    rows = scene.trajectories
    curves.draw(ax, scene, rows["loss"], mark="stable")
    margin = rows["normalized_margin"].where(rows["normalized_margin"] > 0)
    limit = 1 / (rows["stepsize"] * rows["step"].replace(0, np.nan) * margin**2)
    theory_parts.second(ax, scene, theory_parts.in_stable_phase(scene, limit))
    last = rows["step"].max()
    steps = np.array([last / 100, last])
    top = rows.loc[rows["step"] == last, "loss"].max() * 3
    theory_parts.guide(ax, steps, top * last / steps, r"$\propto 1/t$")
    ax.set(ylabel="training loss $L(w_t)$")
