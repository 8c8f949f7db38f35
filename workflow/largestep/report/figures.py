"""A figure: panels of one experiment or of several side by side, one title, one legend."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from itertools import zip_longest
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from largestep.configuration.config import Comparison
from largestep.configuration.experiment import Figure as Specification
from largestep.report import style
from largestep.report.panels import curves
from largestep.report.panels.curves import Scene

_PANEL = (2.25, 2.15)  # width and height, inches
_LINE = 0.19  # height of a line of text, inches
_MARK = 1.3  # width of a mark and its name in the legend, inches
_COLUMNS = 3  # at most
_COMPARED = 4  # columns of a comparison, at most
_MOST_ENTRIES = 9


class _Plate(NamedTuple):
    """One axes of a figure: what is drawn in it, and its title."""

    panel: ModuleType
    scene: Scene
    title: str


def draw(scene: Scene) -> Figure:
    """The figure of `scene.experiment`; to be drawn and saved inside `style.theme()`.

    From the top: title, panels with the stepsizes at their right, the marks that occur.
    """
    panels = _panels(scene.experiment.figure)
    rows = math.ceil(len(panels) / _COLUMNS)
    plates = [_Plate(panel, scene, panel.TITLE) for panel in panels]
    figure, axes = _canvas(plates, math.ceil(len(panels) / rows))
    for panel, ax in zip(panels, axes, strict=False):
        _label(panel, [ax])
    return _finish(figure, axes, scene.experiment.figure, [scene], _names(scene))


def compare(comparison: Comparison, scenes: Sequence[Scene]) -> Figure:
    """The same panels of several experiments side by side, on equal axes; else as `draw`.

    scenes: of the comparison's experiments, in their order.
    """
    columns = min(len(scenes), _COMPARED)
    blanks = [None] * (-len(scenes) % columns)
    names, panels = comparison.experiments.values(), _panels(comparison)
    plates = []
    for panel in panels:
        plates += [_Plate(panel, *named) for named in zip(scenes, names, strict=True)] + blanks
    figure, axes = _canvas(plates, columns)
    per_panel = len(scenes) + len(blanks)
    for panel, begin in zip(panels, range(0, len(axes), per_panel), strict=True):
        alike = axes[begin : begin + len(scenes)]
        _equalise(panel, alike, columns)
        _label(panel, alike)
    first = scenes[0].experiment
    names = dict(zip(first.stepsizes, map("{:g}".format, first.grid[1]), strict=True))
    return _finish(figure, axes, comparison, scenes, names)


def _canvas(plates: Sequence[_Plate | None], columns: int) -> tuple[Figure, list[Axes]]:
    """A figure with the plates drawn, row by row; None leaves a place empty."""
    figure = Figure(layout="constrained")
    rows = math.ceil(len(plates) / columns)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for plate, ax in zip_longest(plates, axes):
        if plate:
            plate.panel.draw(ax, plate.scene)
            ax.set_title(plate.title, parse_math=style.is_math(plate.title))
        else:
            ax.set_axis_off()
    return figure, list(axes)


def _equalise(panel: ModuleType, axes: Sequence[Axes], columns: int) -> None:
    """One range of values for all axes of a panel; labels at the left and at the bottom only."""
    lows, highs = zip(*(ax.get_ylim() for ax in axes), strict=True)
    for ax in axes:
        ax.set_ylim(min(lows), max(highs))
    if hasattr(panel, "cut"):
        panel.cut(*axes)
    for place, ax in enumerate(axes):
        curves.bring_into_view(ax)
        if place % columns:
            ax.set_ylabel("")
        if place + columns < len(axes):
            ax.set_xlabel("")


def _label(panel: ModuleType, axes: Iterable[Axes]) -> None:
    """What a panel writes once its axes have their limits."""
    if hasattr(panel, "label"):
        for ax in axes:
            panel.label(ax)


def _finish(
    figure: Figure,
    axes: Sequence[Axes],
    words: Specification,
    scenes: Sequence[Scene],
    names: Mapping[float, str],
) -> Figure:
    """Add title and legends, and give everything its place."""
    rows, columns = axes[0].get_gridspec().get_geometry()
    entries, marks = _entries(scenes, names, axes), _marks(scenes)
    across = _PANEL[0] * columns
    width = across + max(1.4, 0.55 + 0.075 * max(len(entry.get_label()) for entry in entries))
    title = _title(words, width)
    marks_per_line = int(width / _MARK)
    below = _LINE * math.ceil(len(marks) / marks_per_line) + 0.1
    body = below + max(_PANEL[1] * rows, _LINE * (len(entries) + 3))
    height = body + _LINE * len(title) + 0.1

    figure.set_size_inches(width, height)
    rect = (0, below / height, across / width, (body - below) / height)
    figure.get_layout_engine().set(rect=rect, w_pad=0.05, wspace=0.04)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # done; each file would do it again
    for line, (text, look) in enumerate(title):
        top = 1 - (0.08 + line * _LINE) / height
        figure.text(0.06 / width, top, text, va="top", parse_math=style.is_math(text), **look)
    figure.legend(
        handles=entries,
        title=_legend_title(scenes),
        alignment="left",
        handlelength=1.6,
        loc="upper left",
        bbox_to_anchor=(across / width, (body - 0.05) / height),
    )
    figure.legend(
        handles=marks,
        ncols=marks_per_line,
        handlelength=1.6,
        columnspacing=1.4,
        loc="lower left",
        bbox_to_anchor=(0, 0),
    )
    return figure


def caption(specification: Specification) -> str:
    """What to see in each panel, one line each."""
    return "\n".join(f"{panel.TITLE}: {panel.CAPTION}" for panel in _panels(specification))


def stand_in(specification: Specification) -> str:
    """The label that a stand-in carries wherever it appears; empty for the paper's own data."""
    return f"Stand-in: {specification.stand_in}" if specification.stand_in else ""


def _panels(specification: Specification) -> list:
    """The panels' modules, by name, so that a figure depends on the code of its own alone."""
    return [import_module(f"largestep.report.panels.{name}") for name in specification.panels]


def _title(specification: Specification, width: float) -> list[tuple[str, dict]]:
    """The title's lines and the stand-in's, each with its look, for a figure of that width."""
    lines = []
    for text, letters_per_inch, look in (
        (specification.title, 11.5, {"fontsize": 10.5, "weight": "bold"}),
        (stand_in(specification), 14, {"fontsize": 9, "style": "italic", "color": style.ALERT}),
    ):
        lines += [(line, look) for line in textwrap.wrap(text, int(width * letters_per_inch))]
    return lines


def _legend_title(scenes: Sequence[Scene]) -> str:
    """What the stepsizes in the legend are: eta, or the step taken, eta with a tilde."""
    count = len(scenes[0].experiment.stepsizes)
    some = f"\n{_MOST_ENTRIES} of {count} shown" if count > _MOST_ENTRIES else ""
    if scenes[0].by_eta:
        widths = {scene.experiment.model.m for scene in scenes}
        m = widths.pop() if len(widths) == 1 else "m"
        return rf"stepsize ${curves.ETA}$" + "\n" + rf"(step taken ${m}\,{curves.ETA}$)" + some
    return f"step taken ${curves.STEP_TAKEN}$" + some


def _names(scene: Scene) -> dict[float, str]:
    """Each stepsize in the symbol it was given in, with what became of its runs."""
    names = {}
    for step, value in zip(scene.experiment.stepsizes, scene.experiment.grid[1], strict=True):
        statuses = list(scene.runs.loc[scene.runs["stepsize"] == step, "status"])
        notes = [
            word if count == len(statuses) else f"{count} of {len(statuses)} {word}"
            for word in ("diverged", "frozen")
            if (count := statuses.count(word))
        ]
        names[step] = f"{value:g}" + (f" ({', '.join(notes)})" if notes else "")
    return names


def _entries(
    scenes: Sequence[Scene], names: Mapping[float, str], axes: Iterable[Axes]
) -> list[Artist]:
    """The stepsizes, largest on top (of a long grid, some); then what the panels have labelled."""
    steps = sorted(names, reverse=True)
    if len(steps) > _MOST_ENTRIES:
        chosen = np.linspace(0, len(steps) - 1, _MOST_ENTRIES).round().astype(int)
        steps = [steps[i] for i in chosen]
    palette, seeds = scenes[0].palette, max(scene.seeds for scene in scenes)
    entries = [curves.line(color=palette[step], linewidth=2, label=names[step]) for step in steps]
    if seeds > 1:
        label = f"range of {seeds} seeds"
        entries.append(Patch(label=label, color=style.FAINT, alpha=0.3, linewidth=0))
    labelled = (pair for ax in axes for pair in zip(*ax.get_legend_handles_labels(), strict=True))
    return entries + list({label: handle for handle, label in labelled}.values())


def _marks(scenes: Sequence[Scene]) -> list[Artist]:
    """What lines and marks mean, as far as they occur."""
    events = pd.concat(scene.events for scene in scenes)
    statuses = {status for scene in scenes for status in scene.runs["status"]}
    oscillates = bool((events["change"] > 0).any())
    thin, thick = ({"linewidth": curves.WIDTHS[phase]} for phase in ("oscillating", "stable"))
    dashed = thick | {"dashes": curves.DASHES["frozen"]}
    candidates = (
        (oscillates, "loss still rises", thin),
        (oscillates, "last rise", curves.CHANGE),
        (not events.empty, "loss only falls", thick),
        (np.isfinite(events["stable"]).any(), "stable phase (Thm 2.2)", curves.STABLE),
        (np.isfinite(events["frozen"]).any(), "frozen by rounding", dashed),
        ("diverged" in statuses, "diverged", curves.DIVERGED),
    )
    return [
        curves.line(label=name, color=style.FAINT, **look)
        for occurs, name, look in candidates
        if occurs
    ]
