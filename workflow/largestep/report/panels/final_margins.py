"""The margins at the end, every method in every norm."""

import numpy as np
from matplotlib.axes import Axes

from largestep.report.curve_key import key
from largestep.report.numbers import number
from largestep.report.panels import number_map
from largestep.report.panels.curves import Scene
from largestep.results import norms

TITLE = "Final margins"
CAPTION = (
    "The geometric margin of each method at the last step in three norms (median across seeds); "
    "the shade is relative to the largest of its column, which is bold. A method that is steepest "
    "descent in a norm is expected to have the largest margin in that norm."
)


def draw(ax: Axes, scene: Scene) -> None:
    order = scene.experiment.model.order
    last = scene.trajectories[scene.trajectories["step"] == scene.trajectories["step"].max()]
    table = {
        f"${symbol}$": norms.margin(last, norm, order).groupby(key(last), sort=False).median()
        for norm, (symbol, _, _) in norms.NORMS.items()
    }
    rows = list(dict.fromkeys(key(last)))
    values = np.array([[column[row] for column in table.values()] for row in rows])
    largest = np.nanmax(values, axis=0)
    texts = [[number(value, 2) for value in row] for row in values]
    shades = np.clip(values / largest, 0, 1)
    number_map.draw(ax, shades, texts, [str(row) for row in rows], table, values == largest)
    ax.set(xlabel="margin in the norm")
