"""From trained runs to the tables' rows."""

import numpy as np
import pandas as pd

from largestep.configuration.experiment import Experiment
from largestep.engine.training import COLUMNS
from largestep.results import tables
from largestep.results.store import Run
from largestep.results.train_job import Grid

_FINAL = (
    "loss",
    "margin",
    "normalized_margin",
    "param_norm",
    "train_accuracy",
    "test_accuracy",
)
_COUNTS = ("last_increase_step", "increases", "separation_step", "stable_phase_step")
_EXTREMES = (
    "normalized_margin_drawdown",
    "gamma_a_drawdown",
    "gamma_b_drawdown",
    "largest_loss_rise",
    "smallest_norm_growth",
    "smallest_descent_ratio",
)


def identify(name: str, experiment: Experiment, grid: Grid) -> pd.DataFrame:
    """The identifying columns of an experiment's grid, one row per run."""
    times = len(grid.seeds) // len(experiment.policies)
    steps, etas = [*experiment.stepsizes] * times, [*experiment.etas] * times
    labels = [
        policy.full_label if step is None else policy.label
        for policy, step in zip(grid.policies, steps, strict=True)
    ]
    return pd.DataFrame(
        {
            "experiment": name,
            "dataset": experiment.dataset.key,
            "model": grid.model.label,
            "activation": grid.model.activation_label,
            "loss_function": grid.loss.label,
            "descent": grid.direction.label,
            "policy": labels,
            "seed": grid.seeds,
            "stepsize": pd.Series(steps, dtype="float64"),
            "eta": etas,
        }
    )


def trajectories(identity: pd.DataFrame, runs: list[Run]) -> pd.DataFrame:
    """Rows of tables.TRAJECTORIES."""
    frame = _repeated(identity, [len(run.steps) for run in runs])
    frame["step"] = np.concatenate([run.steps for run in runs])
    for column, values in zip(COLUMNS, np.concatenate([run.rows for run in runs]).T, strict=True):
        frame[column] = values
    _drop_beyond_divergence(frame, "loss", "train_accuracy", "test_accuracy")
    later = ("sharpness", "flow_loss", *tables.GEOMETRIC)
    return frame.assign(**dict.fromkeys(later, np.nan))


def summaries(identity: pd.DataFrame, grid: Grid, keys: list[str], runs: list[Run]) -> pd.DataFrame:
    """Rows of tables.RUNS."""
    found = {name: np.array([run.running[name] for run in runs]) for name in runs[0].running}
    last = {c: np.array([run.rows[-1, k] for run in runs]) for k, c in enumerate(COLUMNS)}
    frozen_steps = np.array([_first_frozen(run) for run in runs])
    diverged = found["diverged_step"] >= 0
    frozen = ~diverged & (frozen_steps >= 0)
    frame = identity.assign(
        key=keys,
        dtype=grid.dtype,
        device=grid.device.type,
        steps=grid.steps,
        status=np.select([diverged, frozen], ["diverged", "frozen"], "ok"),
        status_step=_count(np.where(diverged, found["diverged_step"], frozen_steps)),
        stable_threshold=grid.thresholds,
        **{f"final_{name}": last[name] for name in _FINAL},
        **{name: _count(found[name]) for name in _COUNTS},
        **{name: np.where(np.isfinite(found[name]), found[name], np.nan) for name in _EXTREMES},
    )
    _drop_beyond_divergence(frame, "final_loss", "final_train_accuracy", "final_test_accuracy")
    return frame


def neurons(identity: pd.DataFrame, grid: Grid, runs: list[Run]) -> pd.DataFrame:
    """Rows of tables.NEURONS; none where neurons were not recorded."""
    width = runs[0].neurons.shape[2]
    frame = _repeated(identity, [len(run.steps) * width for run in runs])
    frame["step"] = np.concatenate([np.repeat(run.steps, width) for run in runs])
    frame["neuron"] = np.tile(np.arange(width), len(frame) // max(width, 1))
    frame["output_weight"] = np.tile(grid.model.head, len(frame) // width) if width else np.nan
    margins, norms = np.concatenate([run.neurons for run in runs]).transpose(1, 0, 2)
    return frame.assign(neuron_margin=margins.ravel(), neuron_norm=norms.ravel())


def snapshots(keys: list[str], runs: list[Run]) -> dict[str, np.ndarray]:
    """The kept weights of all runs, and their steps, by the runs' keys in tables.RUNS."""
    return {
        f"{key}.{name}": tensor.numpy()
        for key, run in zip(keys, runs, strict=True)
        for name, tensor in run.snapshots.items()
    }


def _drop_beyond_divergence(frame: pd.DataFrame, loss: str, *accuracies: str) -> None:
    """Where the outputs are no numbers, none of them counts as right: no accuracy, not one of 0."""
    frame.loc[~np.isfinite(frame[loss].astype(float)), list(accuracies)] = np.nan


def _repeated(identity: pd.DataFrame, times: list[int]) -> pd.DataFrame:
    return identity.loc[identity.index.repeat(times)].reset_index(drop=True)


def _first_frozen(run: Run) -> int:
    """The first recorded step from which no weight moves, or -1."""
    still = np.asarray(run.rows[:, COLUMNS.index("moving_fraction")] == 0)
    return int(run.steps[still.argmax()]) if still.any() else -1


def _count(values: np.ndarray) -> pd.Series:
    """Integers in which -1 stands for null."""
    return pd.Series(values, dtype="Int64").mask(values < 0)
