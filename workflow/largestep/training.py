"""One train job: an experiment's stepsize grid for some seeds, from samples to tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from largestep.base import UserError
from largestep.engine import COLUMNS, Trained, train
from largestep.layouts import Problem
from largestep.record import Watch
from largestep.tables import NEURONS
from largestep.theory import smoothness, stable_threshold


@dataclass(frozen=True)
class Tables:
    """Frames with the columns of tables.TRAJECTORIES, RUNS and NEURONS (empty if not asked for)."""

    trajectories: pd.DataFrame
    runs: pd.DataFrame
    neurons: pd.DataFrame


def choose_device(name: str) -> torch.device:
    """auto | cpu | cuda as a device; raises UserError where cuda is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device: must be cpu or auto, this machine has no CUDA device (got cuda)")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def train_grid(
    name: str,
    experiment,
    samples: tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None],
    seeds: Sequence[int],
    device: torch.device,
    progress: Callable[[int], None] = lambda step: None,
) -> Tables:
    """Train every stepsize of `experiment` from the initial weights of every seed, in one batch.

    samples: X, y, X_test, y_test as samples.read returns them.
    """
    X, y, X_test, y_test = samples
    model, settings = experiment.model, experiment.train
    dtype = getattr(torch, settings.dtype)

    def tensor(array):
        return torch.as_tensor(array, dtype=dtype, device=device)

    problem = Problem(
        tensor(X),
        tensor(y),
        model.activation,
        None if model.head is None else tensor(model.head),
        None if X_test is None else (tensor(X_test), tensor(y_test)),
    )
    grid = [
        (seed, step, eta)
        for seed in seeds
        for step, eta in zip(experiment.stepsizes, experiment.etas, strict=True)
    ]
    drawn = {seed: model.initial_layers(X.shape[1], seed) for seed in seeds}
    weights = [
        tensor(np.stack(layers)) for layers in zip(*(drawn[seed] for seed, *_ in grid), strict=True)
    ]
    thresholds = [stable_threshold(model, X, step) for _, step, _ in grid]
    constants = smoothness(model, X)
    watch = Watch(
        torch.tensor(thresholds_or_nan(thresholds), dtype=torch.float64, device=device),
        constants.kappa if constants else 0.0,
        model.order,
    )
    stepsizes = torch.tensor([s for _, s, _ in grid], dtype=torch.float64, device=device)
    trained = train(
        problem,
        weights,
        stepsizes,
        settings.steps,
        watch,
        neurons=settings.record.neurons,
        progress=progress,
    )
    identity = pd.DataFrame(
        {
            "experiment": name,
            "dataset": experiment.dataset.key,
            "model": model.label,
            "activation": model.activation.label,
            "descent": "gradient",
            "policy": "constant",
            "seed": [seed for seed, *_ in grid],
            "stepsize": [step for _, step, _ in grid],
            "eta": [eta for *_, eta in grid],
        }
    )
    trajectories = _trajectories(identity, trained)
    runs = _runs(identity, trained, trajectories, thresholds, settings, device)
    neurons = pd.DataFrame(columns=NEURONS.names)
    if settings.record.neurons:
        neurons = _neurons(identity, trained, model.head)
    return Tables(trajectories, runs, neurons)


def thresholds_or_nan(thresholds: Sequence[float | None]) -> list[float]:
    return [float("nan") if threshold is None else threshold for threshold in thresholds]


def _trajectories(identity: pd.DataFrame, trained: Trained) -> pd.DataFrame:
    rows = trained.rows.permute(2, 0, 1).cpu().numpy()
    frame = _repeated(identity, len(trained.steps))
    frame["step"] = np.tile(trained.steps, len(identity))
    for k, column in enumerate(COLUMNS):
        frame[column] = rows[:, :, k].ravel()
    return frame.assign(sharpness=np.nan)


def _runs(identity, trained, trajectories, thresholds, settings, device) -> pd.DataFrame:
    found = {name: value.cpu().numpy() for name, value in trained.running.items()}
    rows = trajectories.groupby(np.repeat(np.arange(len(identity)), len(trained.steps)))
    last = rows.last(skipna=False).reset_index(drop=True)
    frozen_steps = rows[["step", "moving_fraction"]].apply(_first_frozen).to_numpy()
    diverged = found["diverged_step"] >= 0
    frozen = ~diverged & (frozen_steps >= 0)
    frame = identity.assign(
        dtype=settings.dtype,
        device=device.type,
        steps=settings.steps,
        status=np.select([diverged, frozen], ["diverged", "frozen"], "ok"),
        status_step=_count(np.where(diverged, found["diverged_step"], frozen_steps)),
        stable_threshold=thresholds_or_nan(thresholds),
    )
    for name in (
        "loss",
        "margin",
        "normalized_margin",
        "param_norm",
        "train_accuracy",
        "test_accuracy",
    ):
        frame[f"final_{name}"] = last[name]
    for name in ("last_increase_step", "increases", "separation_step", "stable_phase_step"):
        frame[name] = _count(found[name])
    for name in (
        "normalized_margin_drawdown",
        "gamma_a_drawdown",
        "gamma_b_drawdown",
        "largest_loss_rise",
        "smallest_norm_growth",
        "smallest_descent_ratio",
    ):
        frame[name] = np.where(np.isfinite(found[name]), found[name], np.nan)
    return frame


def _neurons(identity: pd.DataFrame, trained: Trained, head: np.ndarray) -> pd.DataFrame:
    steps, width = len(trained.steps), len(head)
    margins, norms = trained.neurons.permute(1, 2, 0, 3).cpu().numpy()
    frame = _repeated(identity, steps * width)
    frame["step"] = np.tile(np.repeat(trained.steps, width), len(identity))
    frame["neuron"] = np.tile(np.arange(width), steps * len(identity))
    frame["output_weight"] = np.tile(head, steps * len(identity))
    return frame.assign(neuron_margin=margins.ravel(), neuron_norm=norms.ravel())


def _repeated(identity: pd.DataFrame, times: int) -> pd.DataFrame:
    return identity.loc[identity.index.repeat(times)].reset_index(drop=True)


def _first_frozen(rows: pd.DataFrame) -> int:
    still = rows["step"][rows["moving_fraction"] == 0]
    return int(still.iloc[0]) if len(still) else -1


def _count(values: np.ndarray) -> pd.Series:
    """Integers in which -1 stands for null."""
    return pd.Series(values, dtype="Int64").mask(values < 0)
