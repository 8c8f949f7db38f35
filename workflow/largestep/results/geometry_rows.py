"""Norms, margins and distance to a KKT point along trained runs: rows of tables.GEOMETRY."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from largestep.configuration.experiment import Experiment
from largestep.engine.geometry import geometry
from largestep.engine.problem import Problem
from largestep.results.tables import IDENTITY


def along(
    experiment: Experiment,
    X: np.ndarray,
    y: np.ndarray,
    runs: pd.DataFrame,
    snapshots: Mapping[str, np.ndarray],
    device: torch.device,
) -> pd.DataFrame:
    """Rows of tables.GEOMETRY for the snapshots of the runs in a table; float64 throughout.

    snapshots: `<key>.steps` (S,) and `<key>.layer0` (S, out, in) and so on, for each run's key.
    """
    inputs, labels = (torch.as_tensor(a, dtype=torch.float64, device=device) for a in (X, y))
    problem = Problem.of(experiment.model, experiment.train.loss, inputs, labels)
    depth = len(experiment.model.layer_shapes(X.shape[1]))
    directions = {each.train.direction.label: each.train.direction for each in experiment.apart}
    parts = []
    for run in runs.to_dict("records"):
        layers = [snapshots[f"{run['key']}.layer{k}"] for k in range(depth)]
        constant = run["policy"] == "constant" and not np.isnan(run["stepsize"])
        found = geometry(
            problem,
            [torch.as_tensor(layer).to(inputs) for layer in layers],
            directions[run["descent"]],
            run["stepsize"] if constant else None,
        )
        values = {name: value.cpu().numpy() for name, value in found.items()}
        steps = {"step": snapshots[f"{run['key']}.steps"]}
        parts.append(pd.DataFrame({name: run[name] for name in IDENTITY} | steps | values))
    return pd.concat(parts, ignore_index=True)
