"""The loss times effective time: flat where the loss falls like 1 / (eta t)."""

from matplotlib.axes import Axes

from largestep.report.panels import curves

TITLE = "Rescaled loss"
CAPTION = (
    "The loss times the sum of the stepsizes so far, flat where the loss falls like 1/(eta t). "
    "Curves meet where the stepsize alone sets the speed."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    rows, per_eta = scene.trajectories, scene.experiment.model.stepsize_per_eta
    symbol = curves.EFFECTIVE if per_eta is None else curves.ETA
    # The sum of the stepsizes, since a policy may change them.
    curves.draw(ax, scene, rows["loss"] * rows["time"] / (per_eta or 1))
    ax.set(ylabel=rf"$L(w_t)\,{symbol}\,t$")
