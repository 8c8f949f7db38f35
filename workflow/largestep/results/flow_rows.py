"""Gradient flow beside trained runs: rows of tables.FLOW at the times that the runs record."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

from largestep.configuration.experiment import Experiment
from largestep.engine.gradient_flow import Landscape, follow
from largestep.engine.record import row_steps
from largestep.results.checkpoint import Checkpoint

_COLUMNS = ("time", "loss", "margin", "normalized_margin", "param_norm", "evaluations")


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
    checkpoint: Checkpoint,
    progress: Callable[[int], None] = lambda done: None,
) -> pd.DataFrame:
    """Rows of tables.FLOW, but for the experiment's name; float64 throughout.

    `progress` hears how many gradients have been evaluated.
    """
    asked, model, grid = experiment.flow, experiment.model, times(experiment)
    inputs, labels = (torch.as_tensor(a, dtype=torch.float64, device=device) for a in (X, y))
    kept = checkpoint.load()
    rows = kept.pop("rows", np.empty((0, len(_COLUMNS)))).tolist()
    counts = kept.pop("counts", np.empty(0, int)).tolist()  # rows of each seed that is done

    def keep(solver: dict[str, np.ndarray]) -> None:
        def arrays() -> dict[str, np.ndarray]:
            table = np.array(rows).reshape(-1, len(_COLUMNS))
            return {"rows": table, "counts": np.array(counts, int), **solver}

        checkpoint.offer(arrays)

    for seed in seeds[len(counts) :]:
        begun = sum(counts)
        spent = sum(rows[end - 1][-1] for end in np.cumsum(counts))
        initial = model.initial_layers(X.shape[1], seed)
        landscape = Landscape(model, experiment.train.loss, inputs, labels, initial)
        start = np.concatenate([layer.ravel() for layer in initial])
        path = follow(landscape, start, grid, asked.tolerance, asked.evaluations, kept, keep)
        for time, (w, count) in zip(grid[len(rows) - begun :], path, strict=False):
            found = landscape.measure(w)
            norm = float(np.linalg.norm(w))
            normalized = found["margin"] / norm**model.order if norm else np.nan
            rows.append([time, found["loss"], found["margin"], normalized, norm, count])
            progress(spent + count)
        counts.append(len(rows) - begun)
        kept = {}
    frame = pd.DataFrame(rows, columns=_COLUMNS).astype({"evaluations": int})
    frame.insert(0, "seed", np.repeat(np.array(seeds), counts))
    return frame
