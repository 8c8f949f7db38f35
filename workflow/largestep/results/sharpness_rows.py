"""Sharpness along trained runs: rows of tables.SHARPNESS from the weights that they kept."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

from largestep.configuration.experiment import Experiment
from largestep.engine.hessian import Condensed
from largestep.engine.problem import Problem
from largestep.engine.sharpness import top_eigenvalues
from largestep.results.checkpoint import Checkpoint
from largestep.results.tables import IDENTITY


def along(
    experiment: Experiment,
    X: np.ndarray,
    y: np.ndarray,
    runs: pd.DataFrame,
    snapshots: Mapping[str, np.ndarray],
    device: torch.device,
    checkpoint: Checkpoint,
    progress: Callable[[int], None] = lambda done: None,
) -> pd.DataFrame:
    """Rows of tables.SHARPNESS for the snapshots of the runs in a table; float64 throughout.

    snapshots: `<key>.steps` (S,) and `<key>.layer0` (S, out, in) and so on, for each run's key.
    `progress` hears how many snapshots are done.
    """
    asked = experiment.sharpness
    inputs, labels = (torch.as_tensor(a, dtype=torch.float64, device=device) for a in (X, y))
    condensed = Condensed.of(Problem.of(experiment.model, experiment.train.loss, inputs, labels))
    depth = len(experiment.model.layer_shapes(X.shape[1]))
    places = [
        (run, place, step)
        for run in runs.to_dict("records")
        for place, step in enumerate(snapshots[f"{run['key']}.steps"])
    ]
    found = list(checkpoint.load().get("eigenvalues", ()))
    for run, place, _ in places[len(found) :]:
        layers = [snapshots[f"{run['key']}.layer{k}"][place] for k in range(depth)]
        at = [torch.as_tensor(layer).to(inputs) for layer in layers]
        hessian, zeros = condensed.hessian(at)
        found.append(top_eigenvalues(hessian, asked.top, asked.tolerance, asked.products, zeros))
        checkpoint.offer(lambda: {"eigenvalues": np.array(found)})
        progress(len(found))
    return pd.DataFrame(
        {column: run[column] for column in IDENTITY}
        | {"step": step, "rank": rank, "eigenvalue": value}
        for (run, _, step), values in zip(places, found, strict=True)
        for rank, value in enumerate(values, start=1)
    )
