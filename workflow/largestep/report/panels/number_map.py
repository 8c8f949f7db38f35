"""A small table of numbers as a heat map: each cell has its number, and a shade."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from largestep.report import style

#: From white to a blue on which dark letters can still be read.
_SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#8fc1e3"])


def draw(
    ax: Axes,
    shades: np.ndarray,
    texts: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    bold: np.ndarray,
) -> None:
    """shades (r, c) from 0 to 1, nan for none; a text for each cell; bold (r, c) of bool."""
    ax.imshow(np.nan_to_num(shades), cmap=_SHADES, vmin=0, vmax=1, aspect="auto")
    for r, line in enumerate(texts):
        for c, text in enumerate(line):
            weight = "bold" if bold[r, c] else "normal"
            look = {"ha": "center", "va": "center", "fontsize": style.SMALL, "fontweight": weight}
            ax.text(c, r, text, **look)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows, fontsize=style.SMALL)
    ax.grid(visible=False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
