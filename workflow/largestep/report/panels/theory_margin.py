"""Theorem 2.2: the smooth margin never falls, and the normalized margin nearly never."""

import numpy as np
from matplotlib.axes import Axes

from largestep.report.panels import curves, theory_parts

TITLE = "Margins"
CAPTION = (
    "The normalized margin and, dashed from the stable phase on, the smoothed margin "
    "(ln(1/(n L)) - kappa) / ||w||. There the latter can fall by small corrections at most."
)


def draw(ax: Axes, scene: curves.Scene) -> None:
    ax.set_xscale("log")
    rows, model = scene.trajectories, scene.experiment.model
    margin = rows["normalized_margin"]
    curves.draw(ax, scene, margin.where(margin > 0), mark="stable")
    samples = theory_parts.samples(scene)
    if samples and model.head is not None:
        kappa = model.activation.constants().kappa * np.abs(model.head).sum()
        smooth = (-np.log(len(samples[1]) * rows["loss"]) - kappa) / rows["param_norm"]
        theory_parts.second(ax, scene, theory_parts.in_stable_phase(scene, smooth))
    ax.set_ylim(bottom=0)
    ax.set(ylabel=r"$\min_i\,y_i f(w_t; x_i)\;/\;\|w_t\|$")
    ax.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
