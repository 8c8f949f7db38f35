"""What an atlas shows of a run: a quantity, its name, how it is scaled, and what to see in it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from largestep.configuration.atlas import SEEDS

Values = Callable[[pd.DataFrame], pd.Series]


class Kind(NamedTuple):
    """A quantity: of rows of tables.ATLAS, null where a run has none; `lacking` says what then."""

    title: str
    caption: str
    of: Values
    logarithmic: bool = True
    lacking: str = "no value"


def _column(name: str) -> Values:
    return lambda rows: rows[name].where(rows["status"] != "diverged")


def _increase(rows: pd.DataFrame) -> pd.Series:
    steps = _column("last_increase_step")(rows)
    return steps.where(steps > 0)


def _divergence(rows: pd.DataFrame) -> pd.Series:
    return rows["status_step"].where(rows["status"] == "diverged")


#: By the name of the panel (configuration.atlas.MAPS).
KINDS = {
    "transition_step": Kind(
        "Transition step",
        "The first step s of the stable phase (Theorem 2.2). Up to eta = c2 n / c1 the threshold "
        "is the same for all; beyond, look for a plateau and for catapults that end it.",
        _column("stable_phase_step"),
        lacking="stable phase not reached",
    ),
    "last_increase": Kind(
        "Last increase",
        "The last step at which the loss increased; grey where it never did. Compare where that "
        "ends with 2/lambda_max of the initial weights, from which on a quadratic would diverge.",
        _increase,
        lacking="monotone",
    ),
    "final_loss": Kind(
        "Final loss",
        "The training loss after the last step. Look whether it falls with the stepsize where "
        "training is past the edge of stability by then; catapults throw single runs far down.",
        _column("final_loss"),
    ),
    "diverged": Kind(
        "Divergence",
        "The step at which a run stopped being finite. Where the gradient is bounded, as with the "
        "logistic loss and fixed output weights, no stepsize diverges.",
        _divergence,
        lacking="did not diverge",
    ),
    "normalized_margin": Kind(
        "Normalized margin",
        "The smallest y f over the norm of the weights to the power M, after the last step. It is "
        "positive once all samples are correctly classified.",
        _column("final_normalized_margin"),
        logarithmic=False,
    ),
    "test_accuracy": Kind(
        "Test accuracy",
        "The share of held-out samples that are correctly classified after the last step. Runs in "
        "the lazy regime keep what the initial features allow.",
        _column("final_test_accuracy"),
        logarithmic=False,
    ),
    "relative_movement": Kind(
        "Weight movement",
        "The distance of the last weights from the initial ones, over the initial norm. Below 1/2 "
        "(the line) a run is called lazy here.",
        _column("relative_movement"),
    ),
    "feature_movement": Kind(
        "Feature movement",
        "The relative change of the last hidden layer's activations on the data, in the Frobenius "
        "norm. In the lazy regime it is far below 1.",
        _column("feature_movement"),
    ),
    "kernel_movement": Kind(
        "Kernel movement",
        "The relative change of the tangent kernel, in the Frobenius norm. It vanishes in the lazy "
        "regime, where the network stays its linearization.",
        _column("kernel_movement"),
    ),
}

_NAMES = {
    "train.eta": r"stepsize $\eta$",
    "train.stepsize": r"effective stepsize $\tilde{\eta}$",
    SEEDS: "random seed",
    "model.width": "width $m$",
    "model.scale": "initial scale",
    "dataset.gamma": r"data margin $\gamma$",
    "dataset.n": "samples $n$",
    "dataset.d": "dimension $d$",
}


def name(key: str) -> str:
    """What an axis is over."""
    return _NAMES.get(key) or key.rpartition(".")[2].replace("_", " ")


def cells(rows: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    """One value for each y (rows) and x (columns), ascending: the median over seeds, null where
    half of them or more have none."""
    found = values.astype(float).fillna(np.inf).groupby([rows["y"], rows["x"]]).median()
    return found.replace(np.inf, np.nan).unstack()  # noqa: PD010, for a series there is no other
