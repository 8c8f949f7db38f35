"""The loss times effective time: flat where the loss falls like 1 / (eta t)."""

from matplotlib.axes import Axes

from largestep.report.panels import curves

TITLE = "Rescaled loss"
CAPTION = (
    "The loss times stepsize times step, flat where the loss falls like 1/(eta t). Curves meet "
    "where the stepsize alone sets the speed."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    rows, two_layer = scene.trajectories, scene.experiment.model.stepsize_per_eta is not None
    column, symbol = ("eta", curves.ETA) if two_layer else ("stepsize", curves.EFFECTIVE)
    curves.draw(ax, scene, rows["loss"] * rows["step"] * rows[column])
    ax.set(ylabel=rf"$L(w_t)\,{symbol}\,t$")
