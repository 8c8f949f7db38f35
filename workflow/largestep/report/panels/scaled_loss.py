"""Loss times stepsize times step: flat where the loss falls like 1 / (stepsize t)."""

from matplotlib.axes import Axes

from largestep.report.panels import curves

TITLE = "Scaled loss"
CAPTION = (
    "The loss times stepsize times step: flat where the loss falls like 1/(stepsize · t), and at "
    "the same height for all stepsizes where it is the stepsize that sets the speed."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set(xscale="log", yscale="log")
    rows, two_layer = scene.trajectories, scene.experiment.model.stepsize_per_eta is not None
    column, symbol = ("eta", curves.ETA) if two_layer else ("stepsize", curves.STEP_TAKEN)
    curves.draw(ax, scene, rows["loss"] * rows["step"] * rows[column])
    ax.set(xlabel="step $t$", ylabel=rf"$L(w_t)\;{symbol}\;t$")
