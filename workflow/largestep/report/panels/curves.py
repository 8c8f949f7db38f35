"""The runs of one experiment as curves with a mark each; what all panels share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from largestep.configuration.experiment import Experiment
from largestep.report import colours
from largestep.report.curve_key import Key, key

ETA, EFFECTIVE = r"\eta", r"\tilde{\eta}"

WIDTH = 1.5
FROZEN = (2.2, 1.4)  # dashes

_EDGED = {"linestyle": "", "markeredgecolor": "white", "markeredgewidth": 0.7, "zorder": 5}
CHANGE = _EDGED | {"marker": "o", "markersize": 5.5}
STABLE = _EDGED | {"marker": "D", "markersize": 4.5}
INTERPOLATION = _EDGED | {"marker": "^", "markersize": 5.5}
DIVERGED = {"linestyle": "", "marker": "x", "markersize": 6, "markeredgewidth": 1.6, "zorder": 6}

#: The one mark of a panel, by the event of `Scene.events` that it shows.
MARKS = {"change": CHANGE, "stable": STABLE}

_CROSS = "cross"
_HIGHEST = 1e290  # on a logarithmic axis, whose margins must be numbers too
STEP_AXIS = "step $t$"


@dataclass(frozen=True, eq=False)
class Scene:
    """One experiment's configuration and its rows of the result tables (`results.tables`).

    Of several methods, the rows of each one's best run (`results.best`).

    among: the stepsizes, in the symbol of its grid, among which its own get their colours. grid: of
    several methods, the trajectories of all runs.
    """

    experiment: Experiment
    trajectories: pd.DataFrame
    runs: pd.DataFrame
    neurons: pd.DataFrame | None = None
    among: tuple[float, ...] = ()
    grid: pd.DataFrame | None = None

    @cached_property
    def palette(self) -> dict[Key, colours.Colour | str]:
        """A colour for each curve."""
        given = self.experiment.given
        shades = colours.palette({*self.among, *given.values()} if given else ())
        by_stepsize = {step: shades[value] for step, value in given.items()}
        policies = [each for each in key(self.runs).unique() if each not in by_stepsize]
        return by_stepsize | dict(colours.unordered(policies))

    @property
    def by_eta(self) -> bool:
        """Whether the grid was given as eta, and is labelled so, not as effective stepsizes."""
        return self.experiment.train.eta is not None

    @cached_property
    def seeds(self) -> int:
        return self.runs["seed"].nunique()

    @cached_property
    def events(self) -> pd.DataFrame:
        """Per curve: steps at which `change`, `stable` and `frozen` begin; inf where never.

        `change` is the last step at which the loss increased. Medians over the seeds that did
        not diverge, so that an event is drawn if at least half of the runs have it.
        """
        runs = self.runs[self.runs["status"] != "diverged"]
        frozen = runs["status_step"].where(runs["status"] == "frozen")
        steps = {
            "change": runs["last_increase_step"],
            "stable": runs["stable_phase_step"],
            "frozen": frozen,
        }
        events = pd.DataFrame({name: column.astype(float) for name, column in steps.items()})
        return events.fillna(np.inf).groupby(key(runs), sort=False).median()


def draw(
    ax: Axes,
    scene: Scene,
    values: pd.Series,
    limits: Callable[[Axes], None] = lambda ax: None,
    mark: str = "change",
) -> None:
    """Draw `values`, aligned with the rows of scene.trajectories, against the step.

    The axes must have their scales already. `mark` is set on each curve at that event, and the
    curve is dashed once frozen. Several seeds: median and range. A diverged run is drawn alone,
    up to a cross, and has no say in the limits of the axes, which `limits` may set, unless there
    is no other.
    """
    rows = scene.trajectories[["seed", "step"]].assign(
        curve=key(scene.trajectories), value=values.to_numpy()
    )
    rows = rows[drawable(ax, rows["step"], rows["value"])]
    statuses = scene.runs[["seed", "status"]].assign(curve=key(scene.runs))
    rows = rows.merge(statuses, on=["curve", "seed"])
    diverged, kept = rows[rows["status"] == "diverged"], rows[rows["status"] != "diverged"]
    if kept.empty:
        _alone(ax, scene, diverged)
    by_curve = dict(list(kept.groupby("curve", sort=False)))
    for name in (each for each in scene.palette if each in by_curve):
        _together(ax, scene, by_curve[name], name, mark)
    limits(ax)
    view = ax.get_ylim()
    if not kept.empty:
        _alone(ax, scene, diverged)
    ax.set_ylim(view)
    _crosses(ax, scene, diverged)
    ax.set_xlabel(STEP_AXIS)


def draw_against(ax: Axes, scene: Scene, abscissa: str, values: pd.Series) -> None:
    """Draw `values`, aligned with the rows, against another column, runs that diverged left out.

    Several seeds: the median at each step against the median of the column there, and the range.
    """
    rows = scene.trajectories[["seed", "step"]].assign(
        curve=key(scene.trajectories), x=scene.trajectories[abscissa], y=values.to_numpy()
    )
    rows = rows[drawable(ax, rows["x"], rows["y"])]
    whole = scene.runs.loc[scene.runs["status"] != "diverged", ["seed"]]
    rows = rows.merge(whole.assign(curve=key(scene.runs)), on=["curve", "seed"])
    by_curve = dict(list(rows.groupby("curve", sort=False)))
    for name in (each for each in scene.palette if each in by_curve):
        by_step = by_curve[name].groupby("step")
        x, y = by_step["x"].median(), by_step["y"]
        ax.plot(x, y.median(), color=scene.palette[name], linewidth=WIDTH)
        if scene.seeds > 1:
            look = {"color": scene.palette[name], "alpha": 0.18, "linewidth": 0}
            ax.fill_between(x, y.min(), y.max(), **look)


def end_together(axes: Mapping[Axes, int]) -> None:
    """Let the axes whose abscissa is the step span the same steps, up to the smallest given."""
    last = min(axes.values(), default=0)
    for ax in axes:
        if ax.get_xlabel() == STEP_AXIS and last > 1:
            ax.set_xlim(1, last)


def drawable(ax: Axes, x: pd.Series, y: pd.Series) -> pd.Series:
    """Which points exist on the axes: finite, and positive where the scale is logarithmic."""
    shown = np.isfinite(x) & np.isfinite(y)
    for values, scale in ((x, ax.get_xscale()), (y, ax.get_yscale())):
        if scale == "log":
            shown &= (values > 0) & (values < _HIGHEST)
    return shown


def _together(ax: Axes, scene: Scene, rows: pd.DataFrame, name: Key, mark: str) -> None:
    """The median of one curve's runs, the range that they span, and the mark."""
    colour, events = scene.palette[name], scene.events.loc[name]
    by_step = rows.groupby("step")["value"]
    median = by_step.median()
    steps = median.index.to_numpy()
    frozen = snap(steps, events["frozen"])
    ax.plot(median[steps <= frozen], color=colour, linewidth=WIDTH)
    if frozen <= steps[-1]:
        ax.plot(median[steps >= frozen], color=colour, linewidth=WIDTH, dashes=FROZEN)
    if scene.seeds > 1:
        look = {"color": colour, "alpha": 0.18, "linewidth": 0}
        ax.fill_between(steps, by_step.min(), by_step.max(), **look)
    if np.isfinite(at := snap(steps, events[mark])):
        ax.plot([at], [median[at]], color=colour, **MARKS[mark])


def snap(recorded: np.ndarray, step: float) -> float:
    """The first recorded step at or after `step`; inf beyond the last, -inf for step 0."""
    if step <= 0:
        return -np.inf
    after = recorded[recorded >= step]
    return after[0] if len(after) else np.inf


def _alone(ax: Axes, scene: Scene, rows: pd.DataFrame) -> None:
    for (name, _), part in rows.groupby(["curve", "seed"], sort=False):
        part = part.sort_values("step")
        ax.plot(part["step"], part["value"], color=scene.palette[name], linewidth=WIDTH / 2)


def _crosses(ax: Axes, scene: Scene, rows: pd.DataFrame) -> None:
    """At each run's last finite point, moved into view."""
    for (name, _), part in rows.groupby(["curve", "seed"], sort=False):
        last = part.loc[part["step"].idxmax()]
        look = DIVERGED | {"color": scene.palette[name], "clip_on": False, "gid": _CROSS}
        ax.plot([last["step"]], [np.clip(last["value"], *ax.get_ylim())], **look)


def bring_into_view(ax: Axes) -> None:
    """Move the crosses of diverged runs to the nearest point inside the axes' new limits."""
    for cross in ax.lines:
        if cross.get_gid() == _CROSS:
            cross.set_ydata(np.clip(cross.get_ydata(), *ax.get_ylim()))


def line(**look) -> Line2D:
    """An entry for a legend."""
    return Line2D([], [], **look)
