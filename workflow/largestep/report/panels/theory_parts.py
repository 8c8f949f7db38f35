"""What the theory's panels share: second quantities, guide lines, the data's constants."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from largestep.report import style
from largestep.report.panels.curves import Scene, drawable


def second(ax: Axes, scene: Scene, values: pd.Series, **look) -> None:
    """Draw another quantity, aligned with the rows, as thin lines: the median over seeds.

    Runs that diverged are left out.
    """
    rows = scene.trajectories[["stepsize", "seed", "step"]].assign(value=values)
    whole = scene.runs.loc[scene.runs["status"] != "diverged", ["stepsize", "seed"]]
    rows = rows[drawable(ax, rows["step"], rows["value"])].merge(whole)
    look = {"linestyle": (0, (2, 1.5)), "linewidth": 1.0} | look
    for stepsize, part in rows.groupby("stepsize"):
        medians = part.groupby("step")["value"].median()
        ax.plot(medians.index, medians, color=scene.palette[stepsize], **look)


def in_stable_phase(scene: Scene, values: pd.Series) -> pd.Series:
    """`values` from each run's stable phase on, nan before."""
    starts = scene.runs[["stepsize", "seed", "stable_phase_step"]]
    rows = scene.trajectories[["stepsize", "seed", "step"]].merge(starts, how="left")
    return values.where((rows["step"] >= rows["stable_phase_step"]).to_numpy())


def guide(ax: Axes, x: np.ndarray, y: np.ndarray, label: str, at: int = 0) -> None:
    """A grey line with its name at one of its points."""
    ax.plot(x, y, color=style.FAINT, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1)
    note(ax, x[at], y[at], label)


def note(ax: Axes, x: float, y: float, text: str) -> None:
    """Small letters right of and above a point."""
    look = {"fontsize": style.SMALL, "color": style.INK, "va": "bottom", "ha": "left"}
    ax.annotate(text, (x, y), xytext=(2, 2), textcoords="offset points", **look)


def samples(scene: Scene) -> tuple[np.ndarray, np.ndarray] | None:
    """X and y where the data are written down in the configuration; images are in files."""
    dataset = scene.experiment.dataset
    return dataset.points() if hasattr(dataset, "points") else None
