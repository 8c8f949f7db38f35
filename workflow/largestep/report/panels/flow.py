"""The loss against effective time = stepsize x step, with gradient flow."""

from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes

from largestep.report import style
from largestep.report.panels import curves

TITLE = "Gradient flow"
CAPTION = (
    "The loss against effective time eta_tilde t; dashed, gradient flow from the same weights by "
    "a Runge-Kutta method. Small stepsizes should stay near the flow; look where a large one "
    "leaves it."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    timed = in_time(scene)
    curves.draw(ax, timed, timed.trajectories["loss"])
    limit = reference(timed)
    look = {"color": style.INK, "linewidth": 1.1, "linestyle": (0, (4, 2.5)), "zorder": 4}
    ax.plot(limit.index, limit, label="gradient flow", **look)
    ax.set(xlabel=rf"effective time ${curves.EFFECTIVE}\,t$", ylabel="training loss $L(w_t)$")


def in_time(scene: curves.Scene) -> curves.Scene:
    """The scene with time in the place of steps."""

    def timed(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
        return frame.assign(**{c: frame[c].astype(float) * frame["stepsize"] for c in columns})

    return replace(
        scene,
        trajectories=timed(scene.trajectories, "step"),
        runs=timed(scene.runs, "last_increase_step", "stable_phase_step", "status_step"),
    )


def reference(scene: curves.Scene) -> pd.Series:
    """Gradient flow's loss by time, the median over the seeds, as far as all of them get.

    scene: in time.
    """
    rows = scene.trajectories[scene.trajectories["step"] > 0].dropna(subset="flow_loss")
    by_time = rows.groupby("step")
    return by_time["flow_loss"].median()[by_time["seed"].nunique() == scene.seeds]
