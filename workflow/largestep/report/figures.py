"""A figure: panels of one experiment or of several side by side, with one legend."""

import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from itertools import zip_longest
from types import ModuleType
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from largestep.configuration.config import Comparison
from largestep.configuration.experiment import Figure as Specification
from largestep.configuration.panels import UNCOLOURED
from largestep.report import layout, style
from largestep.report.curve_key import Key, key
from largestep.report.letters import letter
from largestep.report.numbers import SUPERSCRIPTS
from largestep.report.panels import curves
from largestep.report.panels.curves import Scene

_COLUMNS = 3  # at most
_COMPARED = 4  # columns of a comparison, at most
_MOST_ENTRIES = 9
_SIGNS = {"o": "●", "D": "◆", "^": "▲", "x": "\N{MULTIPLICATION SIGN}"}


class _Plate(NamedTuple):
    """One axes of a figure: what is drawn in it, and its name."""

    panel: ModuleType
    scene: Scene
    name: str


class Drawing(NamedTuple):
    """A figure, what to see in each of its axes, and where they and the legend are in it.

    captions: one line for each axes, "(a) name: what to see", and one of what is shown of it.
    boxes: lines "panel-a x y w h", in points from the top left; of the legend, too.
    """

    figure: Figure
    captions: str
    boxes: str


def draw(scene: Scene) -> Drawing:
    """The figure of `scene.experiment`; to be drawn and saved inside `style.theme()`."""
    panels = _panels(scene.experiment.figure)
    rows = math.ceil(len(panels) / _COLUMNS)
    plates = [_Plate(panel, scene, panel.TITLE) for panel in panels]
    figure, axes = _canvas(plates, math.ceil(len(panels) / rows))
    for panel, ax in zip(panels, axes, strict=False):
        _label(panel, [ax])
    return _finish(figure, axes, plates, scene.experiment.figure, [scene])


def compare(comparison: Comparison, scenes: Sequence[Scene]) -> Drawing:
    """The same panels of several experiments side by side, on equal axes; else as `draw`.

    scenes: of the comparison's experiments, in their order.
    """
    columns = min(len(scenes), _COMPARED)
    blanks = [None] * (-len(scenes) % columns)
    names, panels = comparison.experiments.values(), _panels(comparison)
    plates: list[_Plate | None] = []
    for panel in panels:
        plates += [_Plate(panel, *named) for named in zip(scenes, names, strict=True)] + blanks
    figure, axes = _canvas(plates, columns)
    per_panel = len(scenes) + len(blanks)
    for panel, begin in zip(panels, range(0, len(axes), per_panel), strict=True):
        alike = axes[begin : begin + len(scenes)]
        _equalise(panel, alike)
        _label(panel, alike)
    return _finish(figure, axes, plates, comparison, scenes)


def _canvas(plates: Sequence[_Plate | None], columns: int) -> tuple[Figure, list[Axes]]:
    """A figure with the plates drawn, row by row; None leaves a place empty."""
    figure = Figure(layout="constrained")
    rows = math.ceil(len(plates) / columns)
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    shown = [(plate, ax) for plate, ax in zip_longest(plates, axes) if plate]
    for place, (plate, ax) in enumerate(shown):
        plate.panel.draw(ax, plate.scene)
        title = f"({letter(place)}) {plate.name}"
        ax.set_title(title, parse_math=style.is_math(title))
        ax.set_gid(f"panel-{letter(place)}")
    for ax in axes:
        if ax.get_gid() is None:
            ax.set_axis_off()
        for axis in (ax.xaxis, ax.yaxis):
            if axis.get_scale() == "log":
                axis.set_major_formatter(power)
    curves.end_together({ax: plate.scene.experiment.train.steps for plate, ax in shown})
    return figure, axes


def power(value: float, _: int) -> str:
    """A tick of a logarithmic axis, 10⁻³ or 200, in plain letters: mathtext takes far longer."""
    exponent = math.floor(math.log10(value) + 1e-9)
    if math.isclose(value, 10.0**exponent) and not 0 <= exponent < 2:
        return "10" + f"{exponent}".translate(SUPERSCRIPTS)
    return f"{value:g}"


def _equalise(panel: ModuleType, axes: Sequence[Axes]) -> None:
    """One range of values for all axes of a panel; each keeps its labels, as the page has other
    columns than the figure."""
    lows, highs = zip(*(ax.get_ylim() for ax in axes), strict=True)
    for ax in axes:
        ax.set_ylim(min(lows), max(highs))
    if hasattr(panel, "cut"):
        panel.cut(*axes)
    for ax in axes:
        curves.bring_into_view(ax)


def _label(panel: ModuleType, axes: Iterable[Axes]) -> None:
    """What a panel writes once its axes have their limits."""
    if hasattr(panel, "label"):
        for ax in axes:
            panel.label(ax)


def _finish(
    figure: Figure,
    axes: Sequence[Axes],
    plates: Sequence[_Plate | None],
    words: Specification,
    scenes: Sequence[Scene],
) -> Drawing:
    """Add title, legend and the line of what is shown, and give everything its place."""
    coloured = not UNCOLOURED.issuperset(words.panels)
    entries = [*(_stepsizes(scenes) if coloured else ()), *_labelled(axes)]
    title = _legend_title(scenes) if coloured else ""
    notes = _shown(scenes, axes)
    layout.arrange(figure, axes, words, entries, title, notes)
    shown = [plate for plate in plates if plate]
    several = len(scenes) > 1
    captions = [
        f"({letter(k)}) {panel.TITLE}{f', {name}' if several else ''}: {panel.CAPTION}"
        for k, (panel, _, name) in enumerate(shown)
    ]
    captions.append("Shown: " + " ".join(_in_words(*part) for part in notes))
    return Drawing(figure, "\n".join(captions), layout.boxes(figure, axes))


def _panels(specification: Specification) -> list:
    """The panels' modules, by name, so that a figure depends on the code of its own alone."""
    return [import_module(f"largestep.report.panels.{name}") for name in specification.panels]


def _legend_title(scenes: Sequence[Scene]) -> str:
    """What the stepsizes in the legend are: eta, or effective stepsizes, eta with a tilde."""
    if all(isinstance(each, str) for each in scenes[0].palette):
        return ""
    count = len(scenes[0].experiment.stepsizes)
    some = f"\n{_MOST_ENTRIES} of {count} shown" if count > _MOST_ENTRIES else ""
    if scenes[0].by_eta:
        widths = {scene.experiment.model.m for scene in scenes}
        m = widths.pop() if len(widths) == 1 else "m"
        return rf"stepsize ${curves.ETA}$" + f"\n(${curves.EFFECTIVE} = {m}\\,{curves.ETA}$)" + some
    return f"stepsize ${curves.EFFECTIVE}$" + some


def _names(scenes: Sequence[Scene]) -> dict[Key, str]:
    """Each curve in the symbol of its grid; of one scene, with what became of its runs."""
    first = scenes[0]
    given = {step: f"{value:g}" for step, value in first.experiment.given.items()}
    names = dict.fromkeys(first.palette, "") | given
    names = {curve: name or str(curve) for curve, name in names.items()}
    if len(scenes) > 1:
        return names
    keys = key(first.runs)
    for curve in names:
        statuses = list(first.runs.loc[keys == curve, "status"])
        notes = [
            word if count == len(statuses) else f"{count} of {len(statuses)} {word}"
            for word in ("diverged", "frozen")
            if (count := statuses.count(word))
        ]
        names[curve] += f" ({', '.join(notes)})" if notes else ""
    return names


def _stepsizes(scenes: Sequence[Scene]) -> list[Artist]:
    """An entry for each stepsize, largest on top (of a long grid, some), then for each policy."""
    names, palette = _names(scenes), scenes[0].palette
    steps = sorted((each for each in names if not isinstance(each, str)), reverse=True)
    if len(steps) > _MOST_ENTRIES:
        chosen = np.linspace(0, len(steps) - 1, _MOST_ENTRIES).round().astype(int)
        steps = [steps[i] for i in chosen]
    keys = [*steps, *(each for each in names if isinstance(each, str))]
    return [curves.line(color=palette[each], linewidth=2, label=names[each]) for each in keys]


def _labelled(axes: Iterable[Axes]) -> Iterable[Artist]:
    """What the panels themselves have labelled."""
    labelled = (pair for ax in axes for pair in zip(*ax.get_legend_handles_labels(), strict=True))
    return {label: handle for handle, label in labelled}.values()


def _shown(scenes: Sequence[Scene], axes: Sequence[Axes]) -> list[tuple[Mapping | None, str]]:
    """Marks and words that say what lines, bands and marks are, as far as they occur."""
    seeds = max(scene.seeds for scene in scenes)
    markers = {line.get_marker() for ax in axes for line in ax.lines if len(line.get_xdata())}
    found: list[tuple[Mapping | None, str]] = [
        (None, f"Median and range across {seeds} seeds." if seeds > 1 else "One seed.")
    ]
    if scenes[0].experiment.train.methods:
        found.append((None, "Of each method, the run of its grid with the fewest evaluations."))
    for look, name in (
        (curves.CHANGE, "last increase of the loss"),
        (curves.STABLE, "stable phase begins (Theorem 2.2)"),
        (curves.INTERPOLATION, "training accuracy reaches 100%"),
        (curves.DIVERGED, "diverged"),
    ):
        if look["marker"] in markers and not (look is curves.CHANGE and _only_labelled(axes)):
            found.append((look, name))
    frozen = any(np.isfinite(scene.events["frozen"]).any() for scene in scenes)
    return found + ([(None, "Dashed: frozen by rounding.")] if frozen else [])


def _in_words(mark: Mapping | None, text: str) -> str:
    return f"{_SIGNS[mark['marker']]} {text}." if mark else text


def _only_labelled(axes: Sequence[Axes]) -> bool:
    """Whether every round mark belongs to a line that the legend names."""
    marker = curves.CHANGE["marker"]
    marked = [line for ax in axes for line in ax.lines if line.get_marker() == marker]
    return all(not line.get_label().startswith("_") for line in marked)
