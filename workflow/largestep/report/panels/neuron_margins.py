"""Each neuron's own margin min_i y_i sign(a_j) (x_i . w_j) / ||w_j|| against the step."""

from matplotlib.axes import Axes

from largestep.report import style
from largestep.report.panels import curves

TITLE = "Neuron margins"
CAPTION = (
    "Each neuron's own margin, as if it classified alone with the sign of its output weight, "
    "solid where that is positive and dashed where it is negative. At the dotted line the "
    "training accuracy of the whole network reaches 100%."
)

_DASHES = (3, 1.5)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set_xscale("log")
    rows = scene.neurons[curves.drawable(ax, scene.neurons["step"], scene.neurons["neuron_margin"])]
    ax.axhline(0, color=style.FAINT, linewidth=0.8, zorder=1)
    for (stepsize, _, _), part in rows.groupby(["stepsize", "seed", "neuron"]):
        dashes = {} if part["output_weight"].iloc[0] > 0 else {"dashes": _DASHES}
        look = {"color": scene.palette[stepsize], "linewidth": curves.WIDTH} | dashes
        ax.plot(part["step"], part["neuron_margin"], **look)
    interpolation = scene.runs.groupby("stepsize")["separation_step"].median().dropna()
    for stepsize, step in interpolation.items():
        ax.axvline(step, color=scene.palette[stepsize], linewidth=1, linestyle=":")
        _note(ax, step)
    for label, look in (("$a_j > 0$", {}), ("$a_j < 0$", {"dashes": _DASHES})):
        ax.add_line(curves.line(label=label, color=style.FAINT, **look))
    ax.set(xlabel="step $t$", ylabel=r"$\min_i\,\pm y_i\,x_i\cdot w_j\;/\;\|w_j\|$")


def _note(ax: Axes, step: float) -> None:
    ax.annotate(
        "all samples\ncorrect",
        (step, 0.03),
        xycoords=("data", "axes fraction"),
        xytext=(-3, 0),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=style.SMALL,
    )
