"""Train a grid from a notebook: a data set and a method in, a table out."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from largestep.configuration.experiment import Experiment
from largestep.data.dataset import Dataset
from largestep.engine.device import choose_device
from largestep.method.models.model import Model
from largestep.results import run_rows
from largestep.results.store import Store
from largestep.results.train_job import Grid, train_grid


def train(
    dataset: Dataset,
    model: Model,
    *,
    steps: int,
    seeds: Sequence[int] = (0,),
    device: str = "auto",
    data_root: Path | str = "data",
    **method,
) -> pd.DataFrame:
    """Train every run of a grid, all in one batch; nothing is written.

    method: the other keys of `train:` in a configuration, such as eta=[1, 10], loss=Exponential(),
    policy=InverseSqrt(), dtype="float32". Returns the columns of trajectories.parquet, one row per
    run and recorded step. Raises pydantic's ValidationError for what does not fit together, and
    UserError for data or a device that are missing.
    """
    settings = {"seeds": list(seeds), "steps": steps, **method}
    experiment = Experiment(dataset=dataset, model=model, train=settings)
    root = Path(data_root)
    dataset.check(root)
    found = dataset.load(root)
    data = (found.X, found.y, found.X_test, found.y_test)
    found = []
    for single in experiment.apart:
        grid = Grid.of(single, data, seeds, choose_device(device), torch.get_num_threads())
        keys = [str(run) for run in range(len(grid.seeds))]
        with tempfile.TemporaryDirectory() as folder:
            runs = train_grid(grid, keys, Store(Path(folder)))
        found.append(run_rows.trajectories(run_rows.identify("interactive", single, grid), runs))
    return pd.concat(found, ignore_index=True)
