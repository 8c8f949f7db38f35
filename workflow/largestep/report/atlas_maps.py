"""Heat maps of an atlas, with colour bars, the theory's thresholds, and the edge of laziness."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps, patheffects
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from largestep.configuration.atlas import SEEDS, Atlas
from largestep.configuration.experiment import Experiment
from largestep.report import atlas_lines, colours, style
from largestep.report.atlas_kinds import KINDS, Kind, cells, name
from largestep.report.figures import power
from largestep.report.panels import curves

LAZY = 0.5  # relative movement of the weights below which a run is called lazy (our choice)

#: What has no value, and what diverged; neither is a colour of the map.
_LACKING = "#e2e2e2"
_DIVERGED = {"facecolor": "white", "hatch": "/////", "edgecolor": "#8c8c8c", "linewidth": 0.0}

#: White on a black edge can be seen on every colour.
_LINE = {
    "color": "white",
    "linewidth": 1.3,
    "path_effects": [patheffects.withStroke(linewidth=3, foreground="black")],
}
_DASHES = {atlas_lines.SHARPNESS: "-", atlas_lines.CROSSING: (0, (4, 2))}

#: Percent of the cells among which colours range: catapults are far off.
_RANGE = (5, 95)


def draw(
    ax: Axes, atlas: Atlas, base: Experiment, rows: pd.DataFrame, kind: Kind
) -> dict[str, Artist]:
    """One map; returns entries for the legend, by their labels.

    base: the experiment `atlas.of`; rows: of tables.ATLAS.
    """
    values = cells(rows, kind.of(rows))
    diverged = cells(rows, (rows["status"] == "diverged").astype(float)) >= 0.5
    x, y = values.columns.to_numpy(dtype=float), values.index.to_numpy(dtype=float)
    edges = [_edges(atlas.across, x), _edges(atlas.upward, y)]
    ax.set(xscale=_scale(atlas.across), yscale=_scale(atlas.upward))
    ax.grid(False)
    ax.patch.set(**_DIVERGED)

    lacking = (values.isna() & ~diverged).to_numpy()
    entries: dict[str, Artist] = {}
    if lacking.any():
        _fill(ax, edges, np.where(lacking, 0.0, np.nan), cmap=ListedColormap([_LACKING]))
        entries[kind.lacking] = Patch(facecolor=_LACKING, label=kind.lacking)
    if values.notna().any(axis=None):
        _coloured(ax, edges, values.to_numpy(), kind)
    if (values.isna() & diverged).any(axis=None):
        entries["diverged"] = Patch(**_DIVERGED, label="diverged")
    for line in atlas_lines.lines(atlas, base, rows):
        entries[line.label] = _threshold(ax, atlas, line, edges)
    if "relative_movement" in atlas.panels:
        entries |= _edge_of_laziness(ax, cells(rows, KINDS["relative_movement"].of(rows)))
    ax.set(xlim=edges[0][[0, -1]], ylim=edges[1][[0, -1]])
    ax.set(xlabel=name(atlas.across), ylabel=name(atlas.upward))
    for axis in (ax.xaxis, ax.yaxis):
        ticks(axis)
    return entries


def _scale(key: str) -> str:
    return "linear" if key == SEEDS else "log"


def _edges(key: str, values: np.ndarray) -> np.ndarray:
    """Where the cells of ascending values meet: half way, on a logarithmic axis in ratio."""
    places = values if key == SEEDS else np.log(values)
    middles = (places[1:] + places[:-1]) / 2
    first, last = 2 * places[0] - middles[0], 2 * places[-1] - middles[-1]
    found = np.array([first, *middles, last])
    return found if key == SEEDS else np.exp(found)


def _fill(ax: Axes, edges: list[np.ndarray], values: np.ndarray, **look):
    """Cells as pixels: as paths, a map would weigh a megabyte."""
    masked = np.ma.masked_invalid(values)
    return ax.pcolormesh(*edges, masked, rasterized=True, linewidth=0, antialiased=False, **look)


def _coloured(ax: Axes, edges: list[np.ndarray], values: np.ndarray, kind: Kind) -> None:
    known = values[np.isfinite(values) & ((values > 0) | (not kind.logarithmic))]
    low, high = np.percentile(known, _RANGE) if len(known) else (1.0, 10.0)
    if low == high:
        low, high = (low / 2, high * 2) if kind.logarithmic else (low - 0.5, high + 0.5)
    norm = LogNorm(low, high) if kind.logarithmic else Normalize(low, high)
    if kind.logarithmic:  # a loss may be too small for a number
        values = np.where(values <= 0, low / 2, values)
    mesh = _fill(ax, edges, values, norm=norm, cmap=colormaps[colours.MAP])
    beyond = (bool((values < low).any()), bool((values > high).any()))
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get(beyond)
    # Inside the axes' group, so that it goes where the panel goes (report/inline_svg.py).
    bar = ax.figure.colorbar(
        mesh, cax=ax.inset_axes((1.04, 0, 0.06, 1)), extend=extend or "neither"
    )
    bar.ax.tick_params(labelsize=style.SMALL, length=2, pad=2)
    bar.ax.grid(False)
    if kind.logarithmic:
        ticks(bar.ax.yaxis)


def ticks(axis) -> None:
    """Few of them, in plain letters."""
    if axis.get_scale() != "log":
        axis.set_major_locator(MaxNLocator(4, integer=axis.axis_name != "c", min_n_ticks=2))
        return
    low, high = axis.get_view_interval()
    close = high < 60 * low
    axis.set_major_locator(
        LogLocator(subs=(1, 2, 5) if close else (1,), numticks=12 if close else 6)
    )
    axis.set_major_formatter(FuncFormatter(power))
    axis.set_minor_formatter(NullFormatter())


def _threshold(ax: Axes, atlas: Atlas, line: atlas_lines.Line, edges: list) -> Artist:
    """A threshold along the other axis, to the ends of the map."""
    across = atlas.across == atlas.stepsize
    stepsizes = line.stepsizes[[0, *range(len(line.stepsizes)), -1]]
    others = np.array([*line.others[:1], *line.others, *line.others[-1:]])
    others[[0, -1]] = edges[1 if across else 0][[0, -1]]
    look = _LINE | {"linestyle": _DASHES[line.label]}
    ax.plot(*((stepsizes, others) if across else (others, stepsizes)), **look)
    return curves.line(**look, label=line.label)


def _edge_of_laziness(ax: Axes, moved: pd.DataFrame) -> Mapping[str, Artist]:
    """Where the weights have moved by half of their initial norm, if that is on the map."""
    known = moved.to_numpy()
    if not np.nanmin(known) < LAZY < np.nanmax(known):
        return {}
    height = np.ma.masked_invalid(np.log(known / LAZY))
    drawn = ax.contour(moved.columns, moved.index, height, levels=[0], colors="white")
    drawn.set(linewidth=_LINE["linewidth"], path_effects=_LINE["path_effects"])
    label = "weight movement 1/2"
    return {label: curves.line(**_LINE, label=label)}
