"""The best run of each method: by evaluations to the smallest loss, then by the last loss."""

import numpy as np
import pandas as pd
import pytest

from largestep.configuration.experiment import Experiment
from largestep.results import best

EXPERIMENT = Experiment.model_validate(
    {
        "dataset": {"source": "xor"},
        "model": {
            "kind": "two_layer",
            "width": 2,
            "activation": {"name": "leaky_softplus", "c": 0.5},
        },
        "train": {
            "methods": [
                {"stepsize": [1, 2, 4]},
                {"policy": {"name": "armijo"}, "stepsize": [1]},
                {"policy": {"name": "polyak"}},
            ],
            "seeds": [0, 1, 2],
            "steps": 4,
        },
    }
)
LABELS = ["gradient descent", "Armijo", "Polyak"]


def rows(losses: dict) -> pd.DataFrame:
    """Losses of each run (policy, stepsize, seed) at steps 0.., each step two evaluations."""
    found = []
    for (policy, stepsize, seed), values in losses.items():
        part = {"step": range(len(values)), "evaluations": 2.0 * np.arange(len(values)) + 1}
        identity = {"descent": "gradient", "policy": policy, "stepsize": stepsize, "seed": seed}
        found.append(pd.DataFrame(part | {"loss": values} | identity))
    return pd.concat(found, ignore_index=True)


ARMIJO = EXPERIMENT.policies[3].label
POLYAK = EXPERIMENT.policies[4].full_label


def grid(constant: dict) -> pd.DataFrame:
    others = {(ARMIJO, 1.0, seed): [1, 1e-9] for seed in range(3)}
    others |= {(POLYAK, np.nan, seed): [1, 0.5] for seed in range(3)}
    return rows(constant | others)


def test_the_smallest_target_counts_most_and_the_median_over_seeds():
    slow, fast = [1, 0.1, 1e-3, 1e-9], [1, 1e-3, 1e-9]
    constant = {("constant", 1.0, seed): slow for seed in range(3)}
    constant |= {("constant", 2.0, seed): fast if seed else slow for seed in range(3)}
    constant |= {("constant", 4.0, seed): [1, 1e-5] if seed else [1, 1e-9] for seed in range(3)}
    found = best.of_each(EXPERIMENT, grid(constant))
    assert found.loc["gradient descent", "stepsize"] == 2
    assert found.loc["gradient descent", [*best.TARGETS]].tolist() == [3, 5, 5]
    assert found.loc["Armijo", [*best.TARGETS]].tolist() == [3, 3, 3]
    assert found.loc["Polyak", [*best.TARGETS]].tolist() == [np.inf] * 3


def test_where_no_target_is_reached_the_last_loss_counts():
    losses = {1.0: [1, 0.5], 2.0: [1, 0.4], 4.0: [0.3, np.nan]}
    constant = {("constant", h, seed): v for h, v in losses.items() for seed in range(3)}
    assert best.of_each(EXPERIMENT, grid(constant)).loc["gradient descent", "stepsize"] == 2


def test_one_curve_for_each_method():
    losses = {1.0: [1, 1e-3], 2.0: [1, 0.4], 4.0: [1, 0.4]}
    table = grid({("constant", h, seed): v for h, v in losses.items() for seed in range(3)})
    runs = table.groupby(["descent", "policy", "stepsize", "seed"], dropna=False).size()
    trajectories, chosen = best.best_of_each(EXPERIMENT, table, runs.reset_index())
    assert list(dict.fromkeys(trajectories["policy"])) == LABELS
    assert trajectories["stepsize"].isna().all() and len(chosen) == 9
    of_gd = trajectories[trajectories["policy"] == "gradient descent"]
    assert of_gd["loss"].tolist() == [1, 1e-3] * 3


def test_methods_need_different_labels():
    content = EXPERIMENT.model_dump()
    content["train"]["methods"] = [
        {"policy": {"name": "armijo"}, "stepsize": [1]},
        {"policy": {"name": "armijo", "stepsize": 2.0}, "grid": {"policy.shrink": [0.5]}},
    ]
    with pytest.raises(ValueError, match="differ in the numbers of their grid alone"):
        Experiment.model_validate(content)
