"""Each neuron's own margin min_i y_i sign(a_j) (x_i . w_j) / ||w_j|| against the step."""

import seaborn as sns
from matplotlib.axes import Axes

from largestep.report import style
from largestep.report.panels import curves

TITLE = "Neuron margins"
CAPTION = (
    "Each neuron's own margin, as if it classified alone, with the sign (±) of its output weight: "
    "dashed where that is negative. From the vertical line on, the whole network has every "
    "sample on its right side."
)

_DASHES = (3, 1.5)
_SEPARATES = {"linewidth": 1, "linestyle": ":"}


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set_xscale("log")
    thick = curves.WIDTHS["stable"]
    rows = scene.neurons[curves.drawable(ax, scene.neurons["step"], scene.neurons["neuron_margin"])]
    rows = rows.assign(
        positive=rows["output_weight"] > 0,
        line=rows["seed"].astype(str) + "/" + rows["neuron"].astype(str),
    )
    ax.axhline(0, color=style.FAINT, linewidth=0.8, zorder=1)
    sns.lineplot(
        rows,
        x="step",
        y="neuron_margin",
        hue="stepsize",
        palette=scene.palette,
        style="positive",
        dashes={True: "", False: _DASHES},
        units="line",
        estimator=None,
        linewidth=thick,
        legend=False,
        ax=ax,
    )
    separation = scene.runs.groupby("stepsize")["separation_step"].median().dropna()
    for stepsize, step in separation.items():
        ax.axvline(step, color=scene.palette[stepsize], **_SEPARATES)
    for label, look in (
        ("neuron, $a_j > 0$", {"linewidth": thick}),
        ("neuron, $a_j < 0$", {"linewidth": thick, "dashes": _DASHES}),
        ("network separates", _SEPARATES),
    ):
        ax.add_line(curves.line(label=label, color=style.FAINT, **look))
    ax.set(xlabel="step $t$", ylabel=r"$\min_i\,\pm y_i\,x_i\cdot w_j\;/\;\|w_j\|$")
