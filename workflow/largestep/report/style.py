"""The look of every figure: theme, and files whose bytes depend on the drawing alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

INK = "#222222"
FAINT = "#6b6b6b"
ALERT = "#b3261e"

SMALL = 7.5  # letters of notes, points

_RC = {
    "figure.dpi": 72,  # what SVG and PDF have: their texts need not be measured again
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "mathtext.fontset": "dejavusans",
    "font.size": 9,
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 7,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.title_fontsize": 8.5,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "lines.solid_joinstyle": "round",
    "svg.hashsalt": "largestep",
    "text.color": INK,
    "text.hinting": "none",  # the widths that SVG and PDF have
    "xtick.color": INK,
    "xtick.labelsize": 8.5,
    "xtick.major.size": 3,
    "xtick.major.width": 0.8,
    "xtick.minor.size": 0,
    "ytick.color": INK,
    "ytick.labelsize": 8.5,
    "ytick.major.size": 3,
    "ytick.major.width": 0.8,
    "ytick.minor.size": 0,
}

# Neither a date nor an identifier drawn at random: equal drawings, equal bytes.
_UNDATED = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}


@contextmanager
def theme() -> Iterator[None]:
    """Draw and save inside this context."""
    with mpl.rc_context(_RC):
        yield


@cache
def is_math(text: str) -> bool:
    """Whether what stands between dollars is mathematics that can be set; else it is plain text."""
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return False
    return True


def save(
    figure: Figure, path: Path, title: str = "", description: str = "", coverage: str = ""
) -> None:
    """Write `figure` to `path` as its suffix says (.svg, .pdf, .png), described where it can be.

    PDF has no description of its own: it takes its subject. Only SVG has a coverage.
    """
    words = {"Title": title, "Subject" if path.suffix == ".pdf" else "Description": description}
    if path.suffix == ".svg":
        words["Coverage"] = coverage
    words = {key: text for key, text in words.items() if text}
    figure.savefig(path, dpi=200, metadata=_UNDATED[path.suffix] | words)
