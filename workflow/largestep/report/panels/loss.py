"""The training loss against the step, both logarithmic."""

from matplotlib.axes import Axes

from largestep.report.panels import curves

TITLE = "Training loss"
CAPTION = (
    "The training loss L(w_t) at the recorded steps. Up to the dot it is non-monotone; from the "
    "dot on, or all along where there is none, it is monotone."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    curves.draw(ax, scene, scene.trajectories["loss"])
    ax.set(ylabel="training loss $L(w_t)$")
