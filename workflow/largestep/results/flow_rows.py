"""Gradient flow beside trained runs: rows of tables.FLOW at the times that the runs record."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

from largestep.configuration.experiment import Experiment
from largestep.engine.gradient_flow import Landscape, follow
from largestep.engine.record import row_steps


def times(experiment: Experiment) -> np.ndarray:
    """The time, stepsize x step, of every row that any run of the experiment records."""
    steps = row_steps(0, experiment.train.steps)
    return np.unique(np.outer(experiment.stepsizes, steps))


def along(
    experiment: Experiment,
    X: np.ndarray,
    y: np.ndarray,
    seeds: Sequence[int],
    device: torch.device,
    progress: Callable[[int], None] = lambda done: None,
) -> pd.DataFrame:
    """Rows of tables.FLOW, but for the experiment's name; float64 throughout.

    `progress` hears how many gradients have been evaluated.
    """
    asked, model, rows, spent = experiment.flow, experiment.model, [], 0
    inputs, labels = (torch.as_tensor(a, dtype=torch.float64, device=device) for a in (X, y))
    grid = times(experiment)
    for seed in seeds:
        initial = model.initial_layers(X.shape[1], seed)
        landscape = Landscape(model, experiment.train.loss, inputs, labels, initial)
        start = np.concatenate([layer.ravel() for layer in initial])
        path = follow(landscape, start, grid, asked.tolerance, asked.evaluations)
        for time, (w, count) in zip(grid, path, strict=False):
            found = landscape.measure(w)
            norm = float(np.linalg.norm(w))
            rows.append(
                {
                    "seed": seed,
                    "time": time,
                    "loss": found["loss"],
                    "margin": found["margin"],
                    "normalized_margin": found["margin"] / norm**model.order if norm else np.nan,
                    "param_norm": norm,
                    "evaluations": count,
                }
            )
            progress(spent + count)
        spent += count
    return pd.DataFrame(rows)
