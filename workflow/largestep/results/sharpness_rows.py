"""Sharpness along trained runs: rows of tables.SHARPNESS from the weights that they kept."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

from largestep.configuration.experiment import Experiment
from largestep.engine.sharpness import Hessian, top_eigenvalues
from largestep.results.tables import IDENTITY


def along(
    experiment: Experiment,
    X: np.ndarray,
    y: np.ndarray,
    runs: pd.DataFrame,
    snapshots: Mapping[str, np.ndarray],
    device: torch.device,
    progress: Callable[[int], None] = lambda done: None,
) -> pd.DataFrame:
    """Rows of tables.SHARPNESS for the snapshots of the runs in a table; float64 throughout.

    snapshots: `<key>.steps` (S,) and `<key>.layer0` (S, out, in) and so on, for each run's key.
    `progress` hears how many snapshots are done.
    """
    asked, rows = experiment.sharpness, []
    inputs, labels = (torch.as_tensor(a, dtype=torch.float64, device=device) for a in (X, y))
    depth = len(experiment.model.layer_shapes(X.shape[1]))
    for run in runs.to_dict("records"):
        layers = [snapshots[f"{run['key']}.layer{k}"] for k in range(depth)]
        for place, step in enumerate(snapshots[f"{run['key']}.steps"]):
            at = [torch.as_tensor(layer[place]).to(inputs) for layer in layers]
            hessian = Hessian(experiment.model, experiment.train.loss, inputs, labels, at)
            values = top_eigenvalues(hessian, asked.top, asked.tolerance, asked.products)
            identity = {column: run[column] for column in IDENTITY}
            for rank, value in enumerate(values, start=1):
                rows.append(identity | {"step": step, "rank": rank, "eigenvalue": value})
            progress(len(rows) // asked.top)
    return pd.DataFrame(rows)
