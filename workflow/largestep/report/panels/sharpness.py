"""Sharpness times stepsize / 2 against the step, with the line 1: the edge of stability."""

from matplotlib.axes import Axes

from largestep.report import style
from largestep.report.panels import curves

TITLE = "Sharpness"
CAPTION = (
    "The largest eigenvalue of the Hessian of the loss times eta_tilde / 2, at the steps whose "
    "weights were kept (a dot stands at the next of them). Above the dashed line, at 1, a step "
    "along that eigenvector overshoots: the edge of stability."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    ax.axhline(1, color=style.INK, linewidth=0.9, linestyle="--", zorder=1)
    rows = scene.trajectories
    curves.draw(ax, scene, rows["sharpness"] * rows["stepsize"] / 2)
    ax.set(ylabel=rf"$\lambda_{{\max}}(w_t)\,{curves.EFFECTIVE}\,/\,2$")
