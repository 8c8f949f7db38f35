"""The normalized margin against the evaluations that it took."""

from matplotlib.axes import Axes

from largestep.report import style
from largestep.report.panels import curves
from largestep.report.panels.normalized_margin import cut

TITLE = "Margin by cost"
CAPTION = (
    "The normalized margin min_i y_i f(w_t; x_i) / ||w_t||^M against the evaluations up to step t. "
    "A low loss is no large margin: compare the order of the curves with that of the losses."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set_xscale("log")
    ax.axhline(0, color=style.FAINT, linewidth=0.8, zorder=1)
    curves.draw_against(ax, scene, "evaluations", scene.trajectories["normalized_margin"])
    cut(ax)
    ax.set(xlabel="evaluations", ylabel=r"normalized margin")
