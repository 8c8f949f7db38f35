"""Where the theory expects something to change on a map over stepsizes."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from largestep.configuration.atlas import SEEDS, Atlas
from largestep.configuration.experiment import Experiment
from largestep.theory import bounds

SHARPNESS = r"$2 / \lambda_{\max}(w_0)$"
CROSSING = "$c_2 n / c_1$"


class Line(NamedTuple):
    """A stepsize, in the symbol of its axis, for each value of the other axis."""

    label: str
    stepsizes: np.ndarray
    others: np.ndarray


def lines(atlas: Atlas, base: Experiment, rows: pd.DataFrame) -> list[Line]:
    """The thresholds that apply: none where no axis is over constant stepsizes."""
    if atlas.stepsize is None or not base.train.policy.constant:
        return []
    found = [_sharpness(atlas, rows), _crossing(atlas, base)]
    return [line for line in found if line and np.isfinite(line.stepsizes).all()]


def _sharpness(atlas: Atlas, rows: pd.DataFrame) -> Line:
    """2 / lambda_max of the loss's Hessian at the initial weights: beyond it the first steps
    overshoot. The median over seeds."""
    stepsize, other = ("x", "y") if atlas.across == atlas.stepsize else ("y", "x")
    limit = 2 / rows["initial_sharpness"] * rows[stepsize] / rows["stepsize"]
    by_other = limit.groupby(rows[other]).median()
    if SEEDS in atlas.axes:
        by_other[:] = limit.groupby(rows["seed"]).first().median()
    return Line(SHARPNESS, by_other.to_numpy(), by_other.index.to_numpy(dtype=float))


def _crossing(atlas: Atlas, base: Experiment) -> Line | None:
    """Theorem 4.1's eta = c2 n / c1, where the branch 1/eta ends; on separable data, alpha > 0."""
    found: dict[float, float] = {}
    for batch in atlas.batches(base):
        experiment = batch.experiment
        model, data = experiment.model, experiment.dataset
        if data.source != "margin" or not experiment.train.papers:
            return None
        X, _ = data.points()
        if bounds.separable(model, X, data.gamma) is None:
            return None
        c1, c2 = bounds.phase_constants(model, X)
        eta = c2 * len(X) / c1
        others = batch.y if atlas.across == atlas.stepsize else batch.x
        factor = 1 if atlas.stepsize == "train.eta" else model.stepsize_per_eta
        found |= dict.fromkeys(others, eta * factor)
    at = sorted(found)
    return Line(CROSSING, np.array([found[each] for each in at]), np.array(at, dtype=float))
