"""Complementary slackness: whether the samples that still pull are those of smallest margin."""

from matplotlib.axes import Axes

from largestep.report.panels import norm_parts
from largestep.report.panels.curves import Scene

TITLE = "Slackness"
CAPTION = (
    "The mean of q_i / min_j q_j - 1, q_i = y_i f(w_t; x_i), weighted by the pull -l'(q_i) of each "
    "sample: 0 at a KKT point, where only samples of the smallest margin pull."
)


def draw(ax: Axes, scene: Scene) -> None:
    ax.set(xscale="log", yscale="log")
    norm_parts.draw(ax, scene, scene.trajectories["slackness"])
    ax.set(ylabel="complementary slackness")
