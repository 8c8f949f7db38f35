"""Where everything in a figure stands: title, panels, legend, the last line.

The legend is in a place that the panels leave free, else at their right, a long one below them.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter
from matplotlib.transforms import Bbox

from largestep.configuration.experiment import Figure as Specification
from largestep.report import style
from largestep.report.panels import curves

_PANEL = (2.4, 2.15)  # width and height, inches
_LINE = 0.19  # height of a line of text, inches
_LETTER = 0.062  # width of a small letter, inches
_LEGEND = "legend"  # its identifier in an SVG
_TALL = 9  # most entries of a legend at the right
_OVERHANG = 0.4  # inches by which a title may be longer than its panel


def stand_in(specification: Specification) -> str:
    """The label that a stand-in carries wherever it appears; empty for the paper's own data."""
    return f"Stand-in: {specification.stand_in}" if specification.stand_in else ""


def arrange(
    figure: Figure,
    axes: Sequence[Axes],
    words: Specification,
    entries: Sequence[Artist],
    legend_title: str,
    shown: Sequence[tuple[Mapping | None, str]],
) -> None:
    """Add title, legend and the line that says what is shown, and place the panels among them.

    shown: words, each with the look of the mark that they explain or None.
    """
    rows, columns = axes[0].get_gridspec().get_geometry()
    across = _PANEL[0] * columns + max(map(_names, axes))
    entry = 0.55 + 0.075 * max((len(each.get_label()) for each in entries), default=0)
    under = len(entries) > _TALL
    abreast = max(1, int(across / entry)) if under else 1
    legend = _LINE * (math.ceil(len(entries) / abreast) + (0.5 if under else 3))
    small = not under and legend <= _PANEL[1] and entry <= _PANEL[0]
    free = axes[-1] if small and not axes[-1].get_gid() else None
    beside = bool(entries) and not under and not free
    width = across + (max(1.35, entry) if beside else _OVERHANG)
    title = _title(words, width)
    lines = _lines(shown, width)
    below = _LINE * len(lines) + (legend if under else 0)
    body = below + max(_PANEL[1] * rows, legend if beside else 0)
    height = body + _LINE * len(title) + 0.1

    figure.set_size_inches(width, height)
    rect = (0, below / height, across / width, (body - below) / height)
    figure.get_layout_engine().set(rect=rect, w_pad=0.05, wspace=0.04)
    figure.draw_without_rendering()
    figure.set_layout_engine(None)  # done; with any engine, each file would be drawn twice
    for line, (text, look) in enumerate(title):
        top = 1 - (0.08 + line * _LINE) / height
        figure.text(0.06 / width, top, text, va="top", parse_math=style.is_math(text), **look)
    corner = (0, below / height) if under else (across / width, (body - 0.05) / height)
    if free:
        corner = (free.get_position().x0, free.get_position().y1 + _LINE / height)
    figure.legend(
        handles=entries,
        title=legend_title or None,
        alignment="left",
        handlelength=1.6,
        ncols=abreast,
        loc="upper left",
        bbox_to_anchor=corner,
    ).set_gid(_LEGEND)
    for line, parts in enumerate(reversed(lines)):
        _write(figure, parts, (0.06 + line * _LINE) / height, width)


def boxes(figure: Figure, axes: Sequence[Axes]) -> str:
    """Lines "identifier x y width height", in points from the top left, of axes and legend.

    All axes but maps have equal boxes, so that they stay aligned wherever each is shown.
    """
    points = 72 / figure.dpi
    shown = [ax for ax in axes if ax.get_gid()]
    margins, drawn = {ax: _margins(ax) for ax in shown}, []
    for ax in shown:
        alike = [margins[each] for each in shown if _is_map(each) == _is_map(ax)]
        left, bottom, right, top = (max(sides) for sides in zip(*alike, strict=True))
        b = ax.bbox
        box = Bbox.from_extents(b.x0 - left, b.y0 - bottom, b.x1 + right, b.y1 + top)
        drawn.append((ax.get_gid(), box))
    drawn += [(each.get_gid(), each.get_window_extent()) for each in figure.legends]
    lines = []
    for name, box in drawn:
        box = box.padded(2)
        place = (box.x0, figure.bbox.height - box.y1, box.width, box.height)
        lines.append(" ".join([name, *(f"{points * value:.2f}" for value in place)]))
    return "\n".join(lines)


def _names(ax: Axes) -> float:
    """Inches that the rows' names take at the left of a map."""
    names = ax.get_yticklabels() if _is_map(ax) else []
    return _LETTER * max((len(each.get_text()) for each in names), default=0)


def _is_map(ax: Axes) -> bool:
    """Whether the rows of an axes have names, which need more room than numbers."""
    return isinstance(ax.yaxis.get_major_formatter(), FixedFormatter)


def _margins(ax: Axes) -> tuple[float, float, float, float]:
    """How far labels and title reach beyond the axes: left, bottom, right, top."""
    inner, outer = ax.bbox, ax.get_tightbbox()
    return inner.x0 - outer.x0, inner.y0 - outer.y0, outer.x1 - inner.x1, outer.y1 - inner.y1


def _title(specification: Specification, width: float) -> list[tuple[str, dict]]:
    """The title's lines and the stand-in's, each with its look, for a figure of that width."""
    lines = []
    for text, letters_per_inch, look in (
        (specification.title, 11.5, {"fontsize": 10.5, "weight": "bold"}),
        (stand_in(specification), 14, {"fontsize": 9, "style": "italic", "color": style.ALERT}),
    ):
        lines += [(line, look) for line in textwrap.wrap(text, int(width * letters_per_inch))]
    return lines


def _lines(
    shown: Sequence[tuple[Mapping | None, str]], width: float
) -> list[list[tuple[Mapping | None, str]]]:
    """The parts of the last line, on as many lines as the width needs."""
    lines: list[list] = [[]]
    for part in shown:
        if lines[-1] and sum(map(_extent, [*lines[-1], part])) > width:
            lines.append([])
        lines[-1].append(part)
    return lines


def _extent(part: tuple[Mapping | None, str]) -> float:
    mark, text = part
    return (0.16 if mark else 0) + _LETTER * len(text) + 0.16


def _write(figure: Figure, parts: Sequence, bottom: float, width: float) -> None:
    """One line of marks and words, in grey."""
    at = 0.08
    look = {"fontsize": style.SMALL, "color": style.FAINT, "va": "center"}
    for mark, text in parts:
        if mark:
            dot = curves.line(color=style.FAINT, **mark)
            dot.set(transform=figure.transFigure, figure=figure)
            dot.set_data([(at + 0.05) / width], [bottom])
            figure.add_artist(dot)
        figure.text((at + (0.14 if mark else 0)) / width, bottom, text, **look)
        at += _extent((mark, text))
