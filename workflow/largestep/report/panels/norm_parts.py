"""What the panels of norms share: each method's own norm, and curves marked at interpolation."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from largestep.report.curve_key import key
from largestep.report.panels import curves


def own_norms(scene: curves.Scene) -> pd.Series:
    """Of each row, the norm in which its direction is the steepest: l1, l2 or linf."""
    methods = [single.train.direction for single in scene.experiment.apart]
    norms = {direction.label: direction.norm for direction in methods}
    return scene.trajectories["descent"].map(norms)


def by_own_norm(scene: curves.Scene, quantity) -> pd.Series:
    """`quantity` (rows, norm), aligned with the rows, each in its own norm."""
    norms = own_norms(scene)
    values = pd.Series(np.nan, index=scene.trajectories.index)
    for norm in norms.unique():
        own = norms == norm
        values[own] = quantity(scene.trajectories[own], norm)
    return values


def draw(ax: Axes, scene: curves.Scene, values: pd.Series) -> None:
    """Curves against the step, with a dot where training accuracy reaches 100% (median)."""
    rows = scene.trajectories[["step"]].assign(curve=key(scene.trajectories), value=values)
    rows = rows[curves.drawable(ax, rows["step"], rows["value"])]
    reached = scene.runs["separation_step"].groupby(key(scene.runs)).median()
    for name, part in rows.groupby("curve", sort=False):
        by_step = part.groupby("step")["value"]
        median, colour = by_step.median(), scene.palette[name]
        ax.plot(median, color=colour, linewidth=curves.WIDTH)
        if scene.seeds > 1:
            span = {"color": colour, "alpha": 0.18, "linewidth": 0}
            ax.fill_between(median.index, by_step.min(), by_step.max(), **span)
        at = curves.snap(median.index.to_numpy(), reached[name])
        if np.isfinite(at):
            ax.plot([at], [median[at]], color=colour, **curves.INTERPOLATION)
    ax.set_xlabel(curves.STEP_AXIS)
