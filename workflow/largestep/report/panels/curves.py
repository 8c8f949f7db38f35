"""The runs of one experiment as curves with phases and marks; what all panels share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from largestep.configuration.experiment import Experiment
from largestep.report import style

ETA, STEP_TAKEN = r"\eta", r"\tilde{\eta}"

WIDTHS = {"oscillating": 0.7, "stable": 1.7, "frozen": 1.7}
DASHES = {"oscillating": "", "stable": "", "frozen": (2.2, 1.4)}

_EDGED = {"linestyle": "", "markeredgecolor": "white", "markeredgewidth": 0.7, "zorder": 5}
CHANGE = _EDGED | {"marker": "o", "markersize": 6}
STABLE = _EDGED | {"marker": "D", "markersize": 5}
DIVERGED = {"linestyle": "", "marker": "x", "markersize": 6, "markeredgewidth": 1.6, "zorder": 6}

_CROSS = "cross"


@dataclass(frozen=True, eq=False)
class Scene:
    """One experiment's configuration and its rows of the result tables (`results.tables`)."""

    experiment: Experiment
    trajectories: pd.DataFrame
    runs: pd.DataFrame
    neurons: pd.DataFrame | None = None

    @cached_property
    def palette(self) -> dict[float, tuple[float, float, float]]:
        return style.palette(self.experiment.stepsizes)

    @property
    def by_eta(self) -> bool:
        """Whether the grid was given as eta, and is labelled so, rather than as steps taken."""
        return self.experiment.train.eta is not None

    @cached_property
    def seeds(self) -> int:
        return self.runs["seed"].nunique()

    @cached_property
    def events(self) -> pd.DataFrame:
        """Per stepsize: steps at which `change`, `stable` and `frozen` begin; inf where never.

        `change` is the last step at which the loss rose. Medians over the seeds that did not
        diverge, so that an event is drawn if at least half of the runs have it.
        """
        runs = self.runs[self.runs["status"] != "diverged"]
        frozen = runs["status_step"].where(runs["status"] == "frozen")
        steps = {
            "change": runs["last_increase_step"],
            "stable": runs["stable_phase_step"],
            "frozen": frozen,
        }
        events = pd.DataFrame({key: column.astype(float) for key, column in steps.items()})
        return events.fillna(np.inf).groupby(runs["stepsize"]).median()


def draw(
    ax: Axes, scene: Scene, values: pd.Series, limits: Callable[[Axes], None] = lambda ax: None
) -> None:
    """Draw `values`, aligned with the rows of scene.trajectories, against the step.

    The axes must have their scales already. Thin while the loss still rises now and then, thick
    from its last rise on (a dot marks it), dashed once frozen. Several seeds: median and the
    range from least to greatest. A diverged run is drawn alone, up to a cross, and has no say
    in the limits of the axes, which `limits` may set, unless there is no other.
    """
    rows = scene.trajectories[["stepsize", "seed", "step"]].assign(value=values)
    rows = rows[drawable(ax, rows["step"], rows["value"])]
    rows = rows.merge(scene.runs[["stepsize", "seed", "status"]], on=["stepsize", "seed"])
    diverged, kept = rows[rows["status"] == "diverged"], rows[rows["status"] != "diverged"]
    if kept.empty:
        _alone(ax, scene, diverged)
    else:
        _together(ax, scene, kept)
        _marks(ax, scene, kept)
    limits(ax)
    view = ax.get_ylim()
    if not kept.empty:
        _alone(ax, scene, diverged)
    ax.set_ylim(view)
    _crosses(ax, scene, diverged)


def drawable(ax: Axes, x: pd.Series, y: pd.Series) -> pd.Series:
    """Which points exist on the axes: finite, and positive where the scale is logarithmic."""
    shown = np.isfinite(x) & np.isfinite(y)
    for values, scale in ((x, ax.get_xscale()), (y, ax.get_yscale())):
        if scale == "log":
            shown &= values > 0
    return shown


def _together(ax: Axes, scene: Scene, rows: pd.DataFrame) -> None:
    many = scene.seeds > 1
    sns.lineplot(
        _with_phases(rows, scene.events),
        x="step",
        y="value",
        hue="stepsize",
        palette=scene.palette,
        size="phase",
        sizes=WIDTHS,
        style="phase",
        dashes=DASHES,
        estimator="median" if many else None,
        errorbar=("pi", 100) if many else None,
        err_kws={"alpha": 0.18, "linewidth": 0},
        legend=False,
        ax=ax,
    )


def _with_phases(rows: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """`rows` with their phase; a row at which a phase ends belongs to both its neighbours."""
    pieces = []
    for stepsize, part in rows.groupby("stepsize"):
        recorded = np.unique(part["step"])
        change, frozen = (snap(recorded, events.loc[stepsize, key]) for key in ("change", "frozen"))
        for phase, first, last in (
            ("oscillating", -np.inf, min(change, frozen)),
            ("stable", change, frozen),
            ("frozen", frozen, np.inf),
        ):
            inside = part["step"].between(first, last)
            pieces.append(part[inside].assign(phase=phase))
    return pd.concat(pieces)


def snap(recorded: np.ndarray, step: float) -> float:
    """The first recorded step at or after `step`; inf beyond the last, -inf for step 0."""
    if step <= 0:
        return -np.inf
    after = recorded[recorded >= step]
    return after[0] if len(after) else np.inf


def _marks(ax: Axes, scene: Scene, rows: pd.DataFrame) -> None:
    for stepsize, part in rows.groupby("stepsize"):
        medians = part.groupby("step")["value"].median()
        for event, look in (("change", CHANGE), ("stable", STABLE)):
            step = snap(medians.index.to_numpy(), scene.events.loc[stepsize, event])
            if np.isfinite(step):
                ax.plot([step], [medians[step]], color=scene.palette[stepsize], **look)


def _alone(ax: Axes, scene: Scene, rows: pd.DataFrame) -> None:
    if rows.empty:
        return
    sns.lineplot(
        rows,
        x="step",
        y="value",
        hue="stepsize",
        palette=scene.palette,
        units="seed",
        estimator=None,
        linewidth=WIDTHS["oscillating"],
        legend=False,
        ax=ax,
    )


def _crosses(ax: Axes, scene: Scene, rows: pd.DataFrame) -> None:
    """At each run's last finite point, moved into view."""
    for (stepsize, _), part in rows.groupby(["stepsize", "seed"]):
        last = part.loc[part["step"].idxmax()]
        look = DIVERGED | {"color": scene.palette[stepsize], "clip_on": False, "gid": _CROSS}
        ax.plot([last["step"]], [np.clip(last["value"], *ax.get_ylim())], **look)


def bring_into_view(ax: Axes) -> None:
    """Move the crosses of diverged runs to the nearest point inside the axes' new limits."""
    for cross in ax.lines:
        if cross.get_gid() == _CROSS:
            cross.set_ydata(np.clip(cross.get_ydata(), *ax.get_ylim()))


def line(**look) -> Line2D:
    """An entry for a legend."""
    return Line2D([], [], **look)
