"""Theorem 2.2: the norm of the weights grows like log t."""

from matplotlib.axes import Axes

from largestep.report.panels import curves

TITLE = "Norm of the weights"
CAPTION = (
    "The norm of the weights against log t. By Theorem 2.2 it grows in the stable phase, and stays "
    "between two straight lines."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set_xscale("log")
    curves.draw(ax, scene, scene.trajectories["param_norm"], mark="stable")
    ax.set(ylabel=r"$\|w_t\|$")
