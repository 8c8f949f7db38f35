"""The look of every figure: theme, colours, and files whose bytes depend on the drawing alone."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

INK = "#222222"
FAINT = "#767676"
ALERT = "#b3261e"

_RC = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "mathtext.fontset": "dejavusans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7,
    "axes.labelsize": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.title_fontsize": 8.5,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
    "lines.solid_joinstyle": "round",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "svg.hashsalt": "largestep",
}

# Neither a date nor an identifier drawn at random: equal drawings, equal bytes.
_UNDATED = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}


@contextmanager
def theme() -> Iterator[None]:
    """Draw and save inside this context."""
    with sns.axes_style("ticks", {"axes.grid": True}), mpl.rc_context(_RC):
        yield


def palette(stepsizes: Iterable[float]) -> dict[float, tuple[float, float, float]]:
    """A colour for each stepsize, by rank: the larger, the darker.

    Viridis without its bright end: lightness falls evenly, so that the order survives
    colour blindness and grey printing. The same grid gives the same colours in every figure.
    """
    ordered = sorted(stepsizes)
    places = np.linspace(0.78, 0.04, len(ordered)) if len(ordered) > 1 else [0.25]
    colours = sns.color_palette("viridis", as_cmap=True)(places)
    return {step: tuple(colour[:3]) for step, colour in zip(ordered, colours, strict=True)}


@cache
def is_math(text: str) -> bool:
    """Whether what stands between dollars is mathematics that can be set; else it is plain text."""
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return False
    return True


def save(figure: Figure, path: Path, title: str = "", description: str = "") -> None:
    """Write `figure` to `path` as its suffix says (.svg, .pdf, .png), described where it can be.

    PDF has no description of its own: it takes its subject.
    """
    words = {"Title": title, "Subject" if path.suffix == ".pdf" else "Description": description}
    words = {key: text for key, text in words.items() if text}
    figure.savefig(path, dpi=200, metadata=_UNDATED[path.suffix] | words)
