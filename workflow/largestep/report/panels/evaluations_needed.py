"""How many evaluations each method needs until the loss is small: the best run of its grid."""

import numpy as np
from matplotlib.axes import Axes

from largestep.report.numbers import NOTHING, SUPERSCRIPTS
from largestep.report.panels import number_map
from largestep.report.panels.curves import Scene
from largestep.results import best

TITLE = "Evaluations needed"
CAPTION = (
    "Gradient and loss evaluations until the training loss is at most 10^-2, 10^-4 and 10^-8 "
    "(median across seeds), for each target by the best run of the method's own grid. The fewest "
    "are bold; a dash: no run of half of the seeds got there."
)


def draw(ax: Axes, scene: Scene) -> None:
    whole = scene.trajectories if scene.grid is None else scene.grid
    needed = best.evaluations(whole).reset_index()
    labels = best.methods(scene.experiment, needed)
    table = needed.groupby(labels, sort=False)[[*best.TARGETS]].min()
    table = table.loc[[single.train.label for single in scene.experiment.apart]]
    values = table.to_numpy()
    fewest = values.min(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shades = np.clip(1 - np.log10(values / fewest) / 2, 0, 1)  # white: 100 times as many
    texts = [[f"{v:,.0f}" if np.isfinite(v) else NOTHING for v in row] for row in values]
    names = ["10" + f"{round(np.log10(target))}".translate(SUPERSCRIPTS) for target in best.TARGETS]
    number_map.draw(ax, shades, texts, table.index, names, values == fewest)
    ax.set(xlabel="training loss at most")
