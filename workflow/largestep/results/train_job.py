"""One train job: an experiment's stepsize grid for some seeds, from samples to runs.

Runs that the store holds are taken from there; the others train in one batch, saved at an interval.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from largestep.common.fingerprint import fingerprint
from largestep.configuration.experiment import Experiment
from largestep.engine.descent import Descent
from largestep.engine.problem import Problem
from largestep.engine.record import Watch
from largestep.engine.training import Trained, train
from largestep.method.directions.direction import Direction
from largestep.method.losses.loss import Loss
from largestep.method.models.model import Model
from largestep.method.papers import is_papers
from largestep.method.policies.policy import Policy
from largestep.results.store import Run, Store, key_of
from largestep.theory.thresholds import smoothness, stable_threshold

CHECKPOINT_SECONDS = 60.0

Samples = tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]


@dataclass(frozen=True)
class Grid:
    """What to train: R runs of one method on one data set.

    seeds, policies and thresholds (Theorem 2.2's, or nan) have an entry a run.
    """

    model: Model
    loss: Loss
    direction: Direction
    policies: Sequence[Policy]
    samples: Samples
    seeds: Sequence[int]
    steps: int
    dtype: str
    neurons: bool
    snapshots: int
    device: torch.device
    threads: int

    @classmethod
    def of(
        cls,
        experiment: Experiment,
        samples: Samples,
        seeds: Sequence[int],
        device: torch.device,
        threads: int,
    ) -> "Grid":
        """The runs of an experiment for some of its seeds, all policies of a seed in a row."""
        settings, policies = experiment.train, experiment.policies
        return cls(
            experiment.model,
            settings.loss,
            settings.direction,
            [*policies] * len(seeds),
            samples,
            [seed for seed in seeds for _ in policies],
            settings.steps,
            settings.dtype,
            settings.record.neurons,
            settings.record.snapshots,
            device,
            threads,
        )

    @property
    def stepsizes(self) -> list[float | None]:
        """The effective stepsize eta_tilde of each run; None for a policy that has none."""
        return [getattr(policy, "stepsize", None) for policy in self.policies]

    @cached_property
    def thresholds(self) -> list[float]:
        if not is_papers(self.loss, self.direction, self.policies[0]):
            return [np.nan] * len(self.policies)
        found = [stable_threshold(self.model, self.samples[0], step) for step in self.stepsizes]
        return [np.nan if threshold is None else threshold for threshold in found]

    @cached_property
    def kappa(self) -> float:
        """Near-homogeneity constant of the network; 0 where it has none (an MLP)."""
        constants = smoothness(self.model, self.samples[0])
        return constants.kappa if constants else 0.0

    def keys(self, data_digest: str) -> list[str]:
        """The store's key of each run: all that determines its numbers."""
        file = self.model.weight_file
        weights = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else None
        code = fingerprint("engine.training", *self._modules)
        return [
            key_of(
                data=data_digest,
                model=self.model.model_dump(mode="json"),
                weights=weights,
                loss=self.loss.model_dump(mode="json"),
                direction=self.direction.model_dump(mode="json"),
                policy=policy.model_dump(mode="json"),
                seed=seed,
                threshold=None if np.isnan(threshold) else threshold,
                kappa=self.kappa,
                dtype=self.dtype,
                neurons=self.neurons,
                snapshots=self.snapshots,
                device=self.device.type,
                threads=self.threads,
                code=code,
            )
            for seed, policy, threshold in zip(
                self.seeds, self.policies, self.thresholds, strict=True
            )
        ]

    @property
    def _modules(self) -> set[str]:
        parts = (self.model, self.loss, self.direction, self.policies[0])
        return set().union(*(part.modules for part in parts))


def train_grid(
    grid: Grid,
    keys: Sequence[str],
    store: Store,
    progress: Callable[[int], None] = lambda step: None,
    interval: float = CHECKPOINT_SECONDS,
) -> list[Run]:
    """All runs of the grid, trained to `grid.steps`; checkpoints go to the store every `interval`
    seconds or so, finished runs in the end."""
    runs: list[Run | None] = [store.find(key, grid.steps) for key in keys]
    reached = [run.last if run else 0 for run in runs]
    for begin in sorted(set(reached) - {grid.steps}):
        chosen = [r for r in range(len(runs)) if reached[r] == begin]
        for done in _train_from(grid, chosen, [runs[r] for r in chosen], progress, interval):
            for r, run in zip(chosen, done, strict=True):
                store.save(keys[r], run, checkpoint=run.last < grid.steps)
                runs[r] = run
    return runs


def train_whole(grid: Grid, progress: Callable[[int], None] = lambda step: None) -> list[Run]:
    """All runs of the grid from their first step to the last, in one go and without a store."""
    return _apart(_trainer(grid, range(len(grid.seeds)), progress)(grid.steps))


def _train_from(grid, chosen, runs, progress, interval):
    """Continue the `chosen` runs, all at the same step; yields them at every checkpoint."""
    train_to = _trainer(grid, chosen, progress)
    step, pace = (runs[0].last if runs[0] else 0), None
    while step < grid.steps:
        # A short stretch first, to learn how many steps an interval holds.
        ahead = 64 if pace is None else max(1, round(interval / pace))
        stop = grid.steps if step + 1.5 * ahead > grid.steps else step + ahead
        begun = time.monotonic()
        later = _apart(train_to(stop, _together(runs, grid.device) if runs[0] else None))
        runs = [a.followed_by(b) if a else b for a, b in zip(runs, later, strict=True)]
        pace = (time.monotonic() - begun) / (stop - step)
        step = stop
        yield runs


def _trainer(grid: Grid, chosen: Sequence[int], progress) -> Callable[..., Trained]:
    """What trains the `chosen` runs to a step, from the state in which they are or the first."""
    problem, weights = _problem(grid), _weights(grid, chosen)
    descent = Descent(grid.direction, [grid.policies[r] for r in chosen])
    thresholds = [grid.thresholds[r] for r in chosen]
    below = torch.tensor(thresholds, dtype=torch.float64, device=grid.device)
    watch = Watch(below, grid.kappa, grid.model.order)
    look = {"neurons": grid.neurons, "snapshots": grid.snapshots, "progress": progress}

    def train_to(step: int, start: dict[str, torch.Tensor] | None = None) -> Trained:
        return train(problem, weights, descent, step, watch, **look, start=start)

    return train_to


def _problem(grid: Grid) -> Problem:
    def tensor(array):
        return torch.as_tensor(array, dtype=getattr(torch, grid.dtype), device=grid.device)

    X, y, X_test, y_test = grid.samples
    test = None if X_test is None else (tensor(X_test), tensor(y_test))
    return Problem.of(grid.model, grid.loss, tensor(X), tensor(y), test)


def _weights(grid: Grid, chosen: Sequence[int]) -> list[torch.Tensor]:
    """Initial weights of the chosen runs, one (runs, out, in) tensor per layer."""
    d = grid.samples[0].shape[1]
    drawn = {seed: grid.model.initial_layers(d, seed) for seed in set(grid.seeds)}
    layers = zip(*(drawn[grid.seeds[r]] for r in chosen), strict=True)
    dtype = getattr(torch, grid.dtype)
    return [torch.as_tensor(np.stack(each), dtype=dtype, device=grid.device) for each in layers]


def _apart(trained: Trained) -> list[Run]:
    """Single runs out of a batch."""
    steps, neurons = torch.tensor(trained.steps), trained.neurons
    if neurons is None:
        neurons = trained.rows.new_empty(len(steps), 2, trained.rows.shape[2], 0)
    kept = {f"layer{k}": layer for k, layer in enumerate(trained.snapshots)}
    kept_steps = {"steps": torch.tensor(trained.snapshot_steps)} if kept else {}
    return [
        Run(
            steps,
            trained.rows[:, :, r].cpu(),
            {name: value[r].cpu() for name, value in trained.running.items()},
            neurons[:, :, r].cpu(),
            kept_steps | {name: layer[r] for name, layer in kept.items()},
            {name: value[r : r + 1].cpu() for name, value in trained.state.items()},
        )
        for r in range(trained.rows.shape[2])
    ]


def _together(runs: Sequence[Run], device: torch.device) -> dict[str, torch.Tensor]:
    """The state of a batch out of the states of its runs."""
    names = runs[0].state
    return {name: torch.cat([run.state[name] for run in runs]).to(device) for name in names}
