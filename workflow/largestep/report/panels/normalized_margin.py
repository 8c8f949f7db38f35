"""The normalized margin min_i y_i f(x_i) / ||w||^M against the step, with its known limits."""

import math

import numpy as np
from matplotlib.axes import Axes

from largestep.report import style
from largestep.report.panels import curves
from largestep.theory import margin_limits

TITLE = "Normalized margin"
CAPTION = (
    "The normalized margin min_i y_i f(w_t; x_i) / ||w_t||^M, M = 1 for two layers and else the "
    "number of layers. Above 0 every training sample is correctly classified; far below 0 the axis "
    "is cut, and labelled lines are limits derived from data and network."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set_xscale("log")
    ax.axhline(0, color=style.FAINT, linewidth=0.8, zorder=1)
    for reference in margin_limits.normalized_margin(
        scene.experiment.dataset, scene.experiment.model
    ):
        _line(ax, reference)
    curves.draw(ax, scene, scene.trajectories["normalized_margin"], limits=cut)
    order = scene.experiment.model.order
    power = "" if order == 1 else f"^{order}"
    ax.set(ylabel=rf"$\min_i\,y_i f(w_t; x_i)\;/\;\|w_t\|{power}$")


def _line(ax: Axes, reference: margin_limits.Reference) -> None:
    look = {"color": style.INK, "linewidth": 0.9, "linestyle": reference.dashes, "zorder": 1}
    ax.axhline(reference.value, **look)
    ax.annotate(
        f"{reference.label} {reference.value:.3g}",
        (0.03, reference.value),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2 if reference.above else -2),
        textcoords="offset points",
        va="bottom" if reference.above else "top",
        fontsize=style.SMALL,
    )


#: Share of the axis on which margins must be positive to get the larger part of the axes.
_LONG = 0.05


def cut(*axes: Axes) -> None:
    """Where margins turn positive, and not just before the end, leave the larger part to them."""
    lows, highs = zip(*(ax.dataLim.intervaly for ax in axes), strict=True)
    lowest, highest = min(lows), max(highs)
    if highest > 0 and max(map(_positive, axes)) > _LONG:
        below = min(max(-lowest, 0.05 * highest), 0.35 * highest)
        for ax in axes:
            ax.set_ylim(-1.06 * below, 1.08 * highest)


def _positive(ax: Axes) -> float:
    """The largest share of the axis of steps (logarithmic) on which a curve has been positive."""
    shares = [0.0]
    for line in ax.lines:
        steps, margins = (np.asarray(data, dtype=float) for data in line.get_data())
        shown = (steps > 0) & np.isfinite(margins)
        if shown.sum() > 2 and (above := steps[shown & (margins > 0)]).size:
            end, begin = steps[shown].max(), steps[shown].min()
            shares.append(math.log(end / above.min()) / math.log(end / begin))
    return max(shares)


def label(ax: Axes) -> None:
    """Take a small power of ten out of the tick labels, and write it inside the axes.

    Say so where all margins are below the axes.
    """
    bottom = ax.get_ylim()[0]
    margins = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) > 2]
    if all(np.nanmax(margin) < bottom for margin in margins):
        ax.text(0.5, 0.08, "all below", ha="center", color=style.FAINT, transform=ax.transAxes)
    exponent = math.floor(math.log10(max(map(abs, ax.get_ylim()))))
    if exponent < -2:
        ax.yaxis.set_major_formatter(
            lambda value, place: f"{value / 10**exponent:g}".replace("-", "\N{MINUS SIGN}")
        )
        text = rf"$\times 10^{{{exponent}}}$"
        ax.text(0.03, 0.96, text, va="top", fontsize=8.5, transform=ax.transAxes)
