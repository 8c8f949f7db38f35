"""Theorem 2.2: the norm of the weights grows like log t."""

from matplotlib.axes import Axes

from largestep.report.panels import curves

TITLE = "Norm (Thm 2.2)"
CAPTION = (
    "The norm of the weights against the logarithm of the step: in the stable phase it only "
    "grows, and in the end along a straight line."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set_xscale("log")
    curves.draw(ax, scene, scene.trajectories["param_norm"])
    ax.set(xlabel="step $t$", ylabel=r"$\|w_t\|$")
