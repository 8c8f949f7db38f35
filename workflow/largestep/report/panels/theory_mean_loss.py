"""Theorem 3.2: the mean loss so far against its bound."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from largestep.report.panels import curves, theory_parts
from largestep.theory import bounds
from largestep.theory.hard_margin import hard_margin

TITLE = "Mean loss"
CAPTION = (
    "The mean of the loss over all steps so far and, dashed in the same colour, the bound of "
    "Theorem 3.2 for this stepsize. It holds while the loss is non-monotone, too."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    mean, bound = scene.trajectories["running_mean_loss"], _bound(scene)
    curves.draw(ax, scene, mean, mark="stable")
    if bound is not None:
        low, high = ax.get_ylim()
        ax.set_ylim(low, max(high, 2 * bound.max()))
        theory_parts.second(ax, scene, bound)
    ax.set(ylabel=r"$\frac{1}{t}\sum_{k<t} L(w_k)$")


def _bound(scene: curves.Scene) -> pd.Series | None:
    """The bound for every row; None where the theorem does not apply or the data are in files."""
    samples = theory_parts.samples(scene)
    margin = samples and hard_margin(*samples)
    net = margin and bounds.separable(scene.experiment.model, samples[0], margin[0])
    if not net:
        return None
    values = pd.Series(np.nan, index=scene.trajectories.index)
    for (_, stepsize), part in scene.trajectories.groupby(["seed", "stepsize"]):
        start = part.loc[part["step"] == 0, "param_norm"].iloc[0]
        later = part[part["step"] > 0]
        values[later.index] = bounds.mean_loss(net, stepsize, start, later["step"].to_numpy())
    return values
