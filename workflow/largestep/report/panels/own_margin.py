"""Each method's own geometric margin: in the norm in which it is the steepest descent."""

from matplotlib.axes import Axes

from largestep.report import style
from largestep.report.curve_key import key
from largestep.report.panels import norm_parts
from largestep.report.panels.curves import Scene
from largestep.results import norms

TITLE = "Own margin"
CAPTION = (
    "The geometric margin min_i y_i f(w_t; x_i) / ||w_t||_p^M, in each method's own norm (Adam's "
    "in the maximum norm), over the largest that its run reaches. From the triangle on, where "
    "training accuracy reaches 100%, it should increase; below -1 the axis is cut."
)


def draw(ax: Axes, scene: Scene) -> None:
    ax.set_xscale("log")
    ax.axhline(0, color=style.FAINT, linewidth=0.8, zorder=1)
    order = scene.experiment.model.order
    own = norm_parts.by_own_norm(scene, lambda rows, norm: norms.margin(rows, norm, order))
    runs = [key(scene.trajectories), scene.trajectories["seed"]]
    norm_parts.draw(ax, scene, own / own.groupby(runs).transform("max").abs())
    ax.set_ylim(max(-1, ax.get_ylim()[0]), 1.05)
    ax.set(ylabel="own margin, over its largest")
