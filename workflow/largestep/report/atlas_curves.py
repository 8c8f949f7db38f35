"""An atlas as curves: each quantity against x, one curve for each value on y."""

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from largestep.configuration.atlas import Atlas
from largestep.report import colours, style
from largestep.report.atlas_kinds import KINDS, Kind, name
from largestep.report.atlas_maps import LAZY, ticks
from largestep.report.panels import curves


def draw(ax: Axes, atlas: Atlas, rows: pd.DataFrame, kind: Kind) -> dict[str, Artist]:
    """Medians over seeds, and their range; returns entries for the legend, by their labels.

    Runs that diverged, or have no value, are left out.
    """
    ax.set(xscale="log", yscale="log" if kind.logarithmic else "linear")
    palette, entries = colours.palette(rows["y"].unique()), {}
    for y, part in sorted(rows.groupby("y"), reverse=True):
        by_x = kind.of(part).astype(float).groupby(part["x"])
        median, low, high = by_x.median(), by_x.min(), by_x.max()
        ax.plot(median, color=palette[y], linewidth=curves.WIDTH, marker="o", markersize=2.5)
        if not by_x.size().eq(1).all():
            ax.fill_between(median.index, low, high, color=palette[y], alpha=0.18, linewidth=0)
        entries[f"{y:g}"] = curves.line(color=palette[y], linewidth=2, label=f"{y:g}")
    if kind is KINDS["relative_movement"]:
        look = {"color": style.FAINT, "linewidth": 0.9, "linestyle": ":"}
        ax.axhline(LAZY, **look, zorder=1)
        entries["lazy"] = curves.line(**look, label="weight movement 1/2")
    ax.set_xlabel(name(atlas.across))
    for axis in (ax.xaxis, ax.yaxis):
        ticks(axis)
    return entries
