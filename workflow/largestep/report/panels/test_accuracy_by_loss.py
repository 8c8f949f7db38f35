"""The test accuracy against the training loss."""

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from largestep.report.panels import curves

TITLE = "Test accuracy by loss"
CAPTION = (
    "The test accuracy against the training loss, which falls from left to right. Where a large "
    "stepsize's curve lies higher, it is ahead at equal loss as well, not for being faster alone."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set_xscale("log")
    curves.draw_against(ax, scene, "loss", scene.trajectories["test_accuracy"])
    ax.invert_xaxis()
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(xlabel="training loss $L(w_t)$", ylabel="test accuracy")
