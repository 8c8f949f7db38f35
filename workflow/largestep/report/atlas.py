"""The figure of an atlas: a quantity of its runs in each panel, as heat maps or as curves."""

import math
from collections.abc import Iterator

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from largestep.configuration.atlas import Atlas
from largestep.configuration.experiment import Experiment
from largestep.report import atlas_curves, atlas_maps, layout
from largestep.report.atlas_kinds import KINDS, name
from largestep.report.figures import Drawing
from largestep.report.letters import letter
from largestep.report.numbers import counted

_COLUMNS = 3  # at most


def draw(atlas: Atlas, base: Experiment, rows: pd.DataFrame) -> Drawing:
    """The figure of an atlas of `base`, to be drawn and saved inside `style.theme()`.

    rows: of tables.ATLAS.
    """
    kinds = [KINDS[panel] for panel in atlas.panels]
    down = math.ceil(len(kinds) / _COLUMNS)
    figure = Figure(layout="constrained")
    axes = list(figure.subplots(down, math.ceil(len(kinds) / down), squeeze=False).ravel())
    entries: dict[str, Artist] = {}
    for place, (ax, kind) in enumerate(zip(axes, kinds, strict=False)):
        if atlas.draw == "maps":
            entries |= atlas_maps.draw(ax, atlas, base, rows, kind)
        else:
            entries |= atlas_curves.draw(ax, atlas, rows, kind)
        ax.set_title(f"({letter(place)}) {kind.title}")
        ax.set_gid(f"panel-{letter(place)}")
    for ax in axes[len(kinds) :]:
        ax.set_axis_off()
    words = list(_shown(rows))
    title = name(atlas.upward) if atlas.draw == "curves" else ""
    layout.arrange(figure, axes, atlas, list(entries.values()), title, [(None, w) for w in words])
    captions = [f"({letter(k)}) {kind.title}: {kind.caption}" for k, kind in enumerate(kinds)]
    text = "\n".join([*captions, "Shown: " + " ".join(words)])
    return Drawing(figure, text, layout.boxes(figure, axes))


def _shown(rows: pd.DataFrame) -> Iterator[str]:
    """Where the runs come from, and how many there are."""
    yield "Extension, ours."
    yield f"{counted(len(rows), 'run')} of {counted(int(rows['steps'].iloc[0]), 'step')}."
    seeds = rows.groupby(["x", "y"])["seed"].nunique().max()
    if seeds > 1:
        yield f"Median across {seeds} seeds."
