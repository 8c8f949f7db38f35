"""The training loss against the evaluations that it took."""

from matplotlib.axes import Axes

from largestep.report.panels import curves

TITLE = "Loss by cost"
CAPTION = (
    "The training loss L(w_t) against the gradient and loss evaluations up to step t; a try that a "
    "line search takes back costs one. A curve that is straight here falls like a power, one that "
    "bends down faster; far down the axis is cut."
)

_LOWEST = 1e-20


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    curves.draw_against(ax, scene, "evaluations", scene.trajectories["loss"])
    ax.set_ylim(bottom=max(_LOWEST, ax.get_ylim()[0]))
    ax.set(xlabel="evaluations", ylabel="training loss $L(w_t)$")
