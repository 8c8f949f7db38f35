"""The constant in L ~ 1/(stepsize t margin^2), and the alignment of gradient and weights."""

import numpy as np
from matplotlib.axes import Axes

from largestep.report import style
from largestep.report.panels import curves, theory_parts

TITLE = "Constant and alignment"
CAPTION = (
    "The product L eta_tilde t gamma^2, gamma the normalized margin, and, dashed, the alignment "
    "(||grad L|| / (L gamma))^2. If gradient and weights align, both tend to 1."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    rows = scene.trajectories
    margin = rows["normalized_margin"].where(rows["normalized_margin"] > 0)
    constant = rows["loss"] * rows["stepsize"] * rows["step"] * margin**2
    alignment = (rows["grad_norm"] / (rows["loss"] * margin)) ** 2
    constant, alignment = (
        theory_parts.in_stable_phase(scene, each) for each in (constant, alignment)
    )
    curves.draw(ax, scene, constant, mark="stable")
    ends = np.concatenate([constant.dropna(), alignment.dropna(), [1]])
    ax.set_ylim(ends.min() / 1.5, ends.max() * 1.5)
    theory_parts.second(ax, scene, alignment)
    ax.axhline(1, color=style.FAINT, linewidth=0.8, zorder=1)
    ax.set(ylabel=r"$L\,\tilde{\eta}\,t\,\gamma^2$")
