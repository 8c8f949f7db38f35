"""The test accuracy against the step."""

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from largestep.report import style
from largestep.report.panels import curves

TITLE = "Test accuracy"
CAPTION = (
    "The share of held-out test samples that are correctly classified. Compare stepsizes at the "
    "same step, and their difference with the range across seeds."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    values = scene.trajectories["test_accuracy"]
    if values.isna().all():
        ax.set_axis_off()
        ax.text(0.5, 0.5, "no test data", ha="center", color=style.FAINT, transform=ax.transAxes)
        return
    ax.set_xscale("log")
    curves.draw(ax, scene, values)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(ylabel="test accuracy")
