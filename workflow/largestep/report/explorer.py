"""The explorer's chart and data: every run of every experiment, thinned where no pixel changes."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from largestep.configuration.experiment import Experiment
from largestep.report import colours
from largestep.report.curve_key import key

_HEIGHT = 800  # pixels of the largest picture that thinning must not change
_TOLERANCE = 0.002 / _HEIGHT  # of a picture's height: a thirtieth of the finest shade
_MOST_RUNS = 240  # of an experiment


class Quantity(NamedTuple):
    """What the explorer draws: its column, its name in plain mathematics, its usual scale."""

    column: str
    name: str
    log: bool


QUANTITIES = (
    Quantity("loss", "training loss L(w)", True),
    Quantity("normalized_margin", "normalized margin", False),
    Quantity("sharpness", "sharpness (largest Hessian eigenvalue)", True),
    Quantity("param_norm", "norm of the weights ‖w‖", False),
    Quantity("train_accuracy", "training accuracy", False),
    Quantity("test_accuracy", "test accuracy", False),
    Quantity("grad_norm", "gradient norm ‖∇L(w)‖", True),
    Quantity("running_mean_loss", "mean loss up to step t", True),
)
AXES = (
    Quantity("step", "step t", True),
    Quantity("time", "effective time η̃ t", True),
    Quantity("evaluations", "gradient and loss evaluations", True),
)


def data(
    experiment: Experiment, rows: pd.DataFrame, runs: pd.DataFrame, among: list[float]
) -> dict:
    """An experiment's curves, run by run; of very many runs, evenly chosen ones.

    rows, runs: its rows of the result tables. among: see `configuration.grids`.
    """
    rows = _with_time(rows)
    curves = rows.assign(curve=key(rows))
    columns = [q for q in (*AXES, *QUANTITIES) if q.column in rows and rows[q.column].notna().any()]
    every = math.ceil(len(runs) / _MOST_RUNS)
    chosen = runs.iloc[::every]
    names = _names(experiment, runs)
    shades = colours.palette({*among, *experiment.given.values()})
    policies = colours.unordered(name for name in names.values() if isinstance(name, str))
    by_run = dict(list(curves.groupby(["curve", "seed"], sort=False)))
    found = []
    for curve, run in zip(key(chosen), chosen.itertuples(), strict=True):
        name = names[curve]
        part = by_run[curve, run.seed].sort_values("step")
        part = part[kept(part, [q.column for q in columns[1:]])]
        found.append(
            {
                "curve": name if isinstance(name, str) else f"{name:g}",
                "colour": policies[name] if isinstance(name, str) else _hex(shades[name]),
                "seed": int(run.seed),
                "status": run.status,
                "change": _plain(run.last_increase_step),
                "stable": _plain(run.stable_phase_step),
                "columns": {q.column: part[q.column].tolist() for q in columns},
            }
        )
    return {
        "symbol": "η" if experiment.grid[0] == "eta" else "η̃",
        "axes": [q._asdict() for q in AXES if q in columns],
        "quantities": [q._asdict() for q in QUANTITIES if q in columns],
        "left_out": len(runs) - len(chosen),
        "runs": found,
    }


def kept(run: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Which rows of a run, by step, a picture needs: the others lie on lines between them.

    On linear and logarithmic axes alike, to within _TOLERANCE of the range of the run's values.
    Rows of quantities that most rows lack (sharpness) all stay.
    """
    whole = [c for c in columns if run[c].isna().sum() <= 1 and _varies(run[c])]
    sparse = [c for c in columns if c not in whole and _varies(run[c])]
    stays = run[sparse].notna().any(axis=1).to_numpy(copy=True)
    stays[[0, min(1, len(run) - 1), -1]] = True
    steps = run["step"].to_numpy(float)
    pictures = list(_pictures(run[whole].to_numpy(float)))
    fixed = np.flatnonzero(stays)
    if pictures:
        views = np.column_stack(pictures)
        for first, last in pairwise(fixed):
            _split(first, last, (steps, np.log(np.maximum(steps, 0.5))), views, stays)
    else:
        stays[:] = True
    return stays


def _varies(values: pd.Series) -> bool:
    return len(values.dropna().unique()) > 1


def _pictures(values: np.ndarray) -> Iterator[np.ndarray]:
    """The columns, and the logarithms of positive ones, in units of their range."""
    for column in values.T:
        positive = column > 0
        logarithm = np.log(column, where=positive, out=np.full_like(column, np.nan))
        for scaled in [column, logarithm] if positive[1:].all() else [column]:
            shown = scaled[np.isfinite(scaled)]
            if len(shown) and np.ptp(shown) > 0:
                yield np.nan_to_num((scaled - shown.min()) / np.ptp(shown))


def _split(first: int, last: int, abscissae, views: np.ndarray, stays: np.ndarray) -> None:
    """Mark the rows between two kept ones that a straight line would miss (Douglas, Peucker)."""
    waiting = [(first, last)]
    while waiting:
        a, b = waiting.pop()
        if b - a < 2:
            continue
        worst = np.zeros(b - a - 1)
        for x in abscissae:
            share = ((x[a + 1 : b] - x[a]) / (x[b] - x[a]))[:, None]
            line = views[a] + share * (views[b] - views[a])
            worst = np.maximum(worst, np.abs(views[a + 1 : b] - line).max(axis=1))
        if worst.max() > _TOLERANCE:
            middle = a + 1 + int(worst.argmax())
            stays[middle] = True
            waiting += [(a, middle), (middle, b)]


def chart() -> dict:
    """The Vega-Lite specification into which the page puts the rows and the scales chosen."""
    import altair as alt

    hover = alt.selection_point(
        name="hover", nearest=True, on="pointerover", clear="pointerout", empty=False
    )
    base = alt.Chart(alt.NamedData("rows")).encode(
        x=alt.X("x:Q", scale=alt.Scale(nice=False)),
        y=alt.Y("y:Q", scale=alt.Scale(zero=False)),
        color=alt.Color("colour:N", scale=None),
    )
    lines = base.mark_line(strokeWidth=1.5, clip=True).encode(detail="run:N", order="x:Q")
    points = (
        base.mark_circle(size=60)
        .encode(
            opacity=alt.condition(hover, alt.value(1), alt.value(0)),
            tooltip=[
                alt.Tooltip("curve:N", title="stepsize"),
                alt.Tooltip("seed:N", title="seed"),
                alt.Tooltip("x:Q", title="x", format=",.6~g"),
                alt.Tooltip("y:Q", title="y", format=".5~g"),
            ],
        )
        .add_params(hover)
    )
    marks = (
        alt.Chart(alt.NamedData("marks"))
        .mark_point(size=70, filled=True, stroke="white", strokeWidth=1, opacity=1)
        .encode(
            x="x:Q",
            y="y:Q",
            color=alt.Color("colour:N", scale=None),
            shape=alt.Shape("shape:N", scale=None),
            tooltip=[alt.Tooltip("what:N", title="mark"), alt.Tooltip("x:Q", format=",.6~g")],
        )
    )
    layers = alt.layer(lines, points, marks).properties(width="container", height=420)
    look = layers.configure(background="transparent", font="system-ui, sans-serif").configure_axis(
        labelFontSize=13, titleFontSize=14, titleFontWeight="normal", gridColor="#e6e6e6"
    )
    return look.configure_view(strokeWidth=0).to_dict()


def scripts() -> str:
    """Vega, Vega-Lite and Vega-Embed, in one piece."""
    import vl_convert

    return vl_convert.javascript_bundle().replace("</script", r"<\/script")


def _with_time(rows: pd.DataFrame) -> pd.DataFrame:
    if "time" in rows and rows["time"].notna().any():
        return rows
    return rows.assign(time=rows["stepsize"] * rows["step"])


def _names(experiment: Experiment, runs: pd.DataFrame) -> dict:
    """Each curve's stepsize in the symbol of the grid, or its policy."""
    return {curve: experiment.given.get(curve, curve) for curve in key(runs).unique()}


def _plain(value: float) -> float | int | None:
    """Six digits, for JSON."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if value == int(value) and abs(value) < 1e15 else float(f"{value:.6g}")


def _hex(colour: colours.Colour) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)
