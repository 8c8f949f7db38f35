"""The loss against the step, both logarithmic."""

from matplotlib.axes import Axes

from largestep.report.panels import curves

TITLE = "Loss"
CAPTION = (
    "The loss at every recorded step. A thin line oscillates; at the dot the loss rises for the "
    "last time, and the thick line after it only falls."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    curves.draw(ax, scene, scene.trajectories["loss"])
    ax.set(xlabel="step $t$", ylabel="$L(w_t)$")
