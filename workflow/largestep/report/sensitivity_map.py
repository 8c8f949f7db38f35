"""The table of claims and choices as a figure."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from largestep.report import style
from largestep.report.sensitivity import EFFECTS, MEANINGS, Cell, choices

TITLE = "Sensitivity of the verdicts to choices that the paper does not state"

#: Told apart in grey too, and by the signs.
_FILLS = {
    "changed": "#e8a08a",
    "undecided": "#f6e3b0",
    "same": "#bcdcea",
    "not applicable": "#efefef",
}
_ROW, _COLUMN = 0.2, 0.92  # inches
_LEFT, _TOP, _BOTTOM = 2.65, 0.65, 0.75


def draw(rows: Mapping[str, Mapping[str, Cell]]) -> Figure:
    """A row for each claim, a column for each choice; inside `style.theme()`."""
    columns = choices(rows)
    width, height = len(columns) * _COLUMN, len(rows) * _ROW
    figure = Figure(figsize=(_LEFT + width + 0.15, _TOP + height + _BOTTOM))
    size = figure.get_size_inches()
    ax = figure.add_axes(
        (_LEFT / size[0], _BOTTOM / size[1], width / size[0], height / size[1]),
        xlim=(0, len(columns)),
        ylim=(len(rows), 0),
    )
    for y, cells in enumerate(rows.values()):
        for x, choice in enumerate(columns):
            if cell := cells.get(choice):
                box = {"facecolor": _FILLS[cell.kind], "edgecolor": "white", "linewidth": 1.2}
                ax.add_patch(Rectangle((x, y), 1, 1, **box))
                text = f"{EFFECTS[cell.kind]} {cell.count} of {cell.total}"
                ax.text(x + 0.5, y + 0.52, text, ha="center", va="center", fontsize=style.SMALL)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_yticks([y + 0.5 for y in range(len(rows))], list(rows))
    ax.set_xticks([x + 0.5 for x in range(len(columns))], [_broken(c) for c in columns])
    ax.xaxis.tick_top()
    entries = [
        Patch(facecolor=_FILLS[kind], label=f"{EFFECTS[kind]} {MEANINGS[kind]}") for kind in EFFECTS
    ]
    figure.legend(handles=entries, loc="lower left", ncols=2, bbox_to_anchor=(0.01, 0.0))
    return figure


def described(rows: Mapping[str, Mapping[str, Cell]]) -> str:
    """What the figure shows, in words, for those who cannot see it."""
    changed = [
        f"{claim} with another {choice}"
        for claim, cells in rows.items()
        for choice, cell in cells.items()
        if cell.kind == "changed"
    ]
    return "Verdicts change for " + ", ".join(changed) if changed else "No verdict changes."


def _broken(choice: str) -> str:
    return choice.replace(" ", "\n", 1)
