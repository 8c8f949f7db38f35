"""How far the gradient is from being aligned with the weights, in each method's own norm."""

from matplotlib.axes import Axes

from largestep.report.panels import norm_parts
from largestep.report.panels.curves import Scene
from largestep.results import norms

TITLE = "Alignment"
CAPTION = (
    "1 + w^T grad L / (||grad L||_q ||w||_p), p each method's own norm and q its dual: 0 at a KKT "
    "point of the margin problem in that norm. It should fall, slowly, from the triangle on."
)


def draw(ax: Axes, scene: Scene) -> None:
    ax.set(xscale="log", yscale="log")
    norm_parts.draw(ax, scene, 1 - norm_parts.by_own_norm(scene, norms.alignment))
    ax.set(ylabel=r"1 - alignment of $-\nabla L$ and $w$")
