"""One experiment as the checks see it: its configuration, its data, its runs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from largestep.configuration.experiment import Experiment
from largestep.theory import bounds, thresholds
from largestep.theory.hard_margin import hard_margin

#: An octave from here on has 16 recorded steps or more, so that it shows oscillations.
_SHORTEST_CALM = 16

#: What tells the runs of an experiment apart.
_WHICH = ["seed", "descent", "policy", "stepsize"]


@dataclass(frozen=True, eq=False)
class Samples:
    """Training data X (n, d), labels y (n,)."""

    X: np.ndarray
    y: np.ndarray

    @cached_property
    def margin(self) -> float | None:
        """The hard margin, or None where no hyperplane through the origin separates the data."""
        found = hard_margin(self.X, self.y)
        return found and found[0]


@dataclass(frozen=True, eq=False)
class Run:
    """One finished run.

    facts: its row of runs.parquet, missing values as None. rows: its recorded steps, by step,
    without the stretch where it is frozen or after it diverged. rho: Lipschitz constant of f, 0
    where it has none.
    """

    facts: Mapping[str, Any]
    rows: pd.DataFrame
    rho: float = 0.0

    @property
    def seed(self) -> int:
        return self.facts["seed"]

    @property
    def stepsize(self) -> float:
        """The effective one; nan where the policy tells runs apart."""
        return np.nan if self.facts["stepsize"] is None else self.facts["stepsize"]

    @property
    def eta(self) -> float | None:
        return self.facts["eta"]

    @property
    def diverged_step(self) -> int | None:
        """The first step that was not finite; None for a run that did not diverge."""
        return int(self.facts["status_step"]) if self.facts["status"] == "diverged" else None

    @property
    def increases(self) -> int:
        """Steps at which the loss increased; a divergence counts as one."""
        return self.facts["increases"] + (self.diverged_step is not None)

    @property
    def last(self) -> pd.Series:
        return self.rows.iloc[-1]

    @property
    def last_step(self) -> int:
        return int(self.rows.index[-1])

    @property
    def stable_step(self) -> int | None:
        """Theorem 2.2's s, the first step under its threshold."""
        step = self.facts["stable_phase_step"]
        return None if step is None else int(step)

    @cached_property
    def stable(self) -> pd.DataFrame:
        """Recorded steps from s on; empty where the run never got there."""
        return self.rows.loc[np.inf if self.stable_step is None else self.stable_step :]

    @cached_property
    def octaves(self) -> pd.DataFrame:
        """Recorded steps that are powers of two."""
        steps = self.rows.index
        return self.rows[(steps > 0) & (steps & (steps - 1) == 0)]

    @property
    def calm_step(self) -> int | None:
        """First recorded t such that all through t..2t the loss falls and no sample is misjudged.

        Where Theorem 2.2 gives no threshold this takes its place (our choice).
        """
        steps, loss = self.rows.index.to_numpy(), self.rows["loss"].to_numpy()
        if not len(steps):
            return None
        bad = self.rows["margin"].to_numpy() <= 0
        bad[1:] |= loss[1:] > loss[:-1] * (1 + self.rounding.to_numpy()[1:])
        bad_steps = np.append(steps[bad], np.inf)
        after = bad_steps[np.searchsorted(bad_steps, steps, side="right")]
        long_enough = (steps >= _SHORTEST_CALM) & (2 * steps <= steps[-1])
        calm = ~bad & long_enough & (after > 2 * steps)
        return int(steps[calm.argmax()]) if calm.any() else None

    @cached_property
    def rounding(self) -> pd.Series:
        """Relative error of the loss by rounding, by recorded step (derived).

        An error of f is a relative error of the loss, and f is a sum of terms that reach
        rho ||w||, each right to a few units of rounding; 32 units, as in `record`.
        """
        eps = np.finfo(self.facts["dtype"]).eps
        terms = np.log(self.rows["loss"]).abs() + self.rho * self.rows["param_norm"]
        return 32 * eps * (1 + terms)


def runs_of(trajectories: pd.DataFrame, runs: pd.DataFrame, rho: float = 0.0) -> tuple[Run, ...]:
    """The runs of one experiment from its rows of the result tables, but for those that diverged.

    The steps from which a run is frozen take no part.
    """
    return tuple(run for run in _all(trajectories, runs, rho) if run.diverged_step is None)


def diverged_of(
    trajectories: pd.DataFrame, runs: pd.DataFrame, rho: float = 0.0
) -> tuple[Run, ...]:
    """The runs that diverged, with the rows before they did."""
    return tuple(run for run in _all(trajectories, runs, rho) if run.diverged_step is not None)


def _all(trajectories: pd.DataFrame, runs: pd.DataFrame, rho: float) -> Iterator[Run]:
    rows = {
        (*which, None if np.isnan(stepsize) else stepsize): part.set_index("step").sort_index()
        for (*which, stepsize), part in trajectories.groupby(_WHICH, dropna=False)
    }
    for facts in runs.astype(object).where(runs.notna(), None).to_dict("records"):
        own = rows[tuple(facts[column] for column in _WHICH)]
        if facts["status_step"] is not None:
            own = own[own.index < facts["status_step"]]
        run = Run(facts, own, rho)
        if len(own) or run.diverged_step is not None:
            yield run


def by_seed(runs: Iterable[Run]) -> list[list[Run]]:
    """The runs of each seed, by increasing stepsize; last those whose policy chooses it."""
    groups: dict[int, list[Run]] = {}
    for run in sorted(runs, key=lambda run: np.nan_to_num(run.stepsize, nan=np.inf)):
        groups.setdefault(run.seed, []).append(run)
    return [groups[seed] for seed in sorted(groups)]


@dataclass(frozen=True, eq=False)
class Study:
    """One experiment with its finished runs.

    runs: those that did not diverge; diverged: those that did. neurons: its rows of
    neurons.parquet.
    """

    name: str
    experiment: Experiment
    samples: Samples
    runs: tuple[Run, ...]
    diverged: tuple[Run, ...]
    neurons: pd.DataFrame

    @property
    def n(self) -> int:
        return len(self.samples.y)

    @property
    def model(self):
        return self.experiment.model

    @cached_property
    def smoothness(self) -> thresholds.Smoothness | None:
        return thresholds.smoothness(self.model, self.samples.X)

    @cached_property
    def separable(self) -> bounds.Separable | None:
        """What Theorems 3.2 and 4.1 need; None where their hypotheses fail."""
        margin = self.samples.margin
        return margin and bounds.separable(self.model, self.samples.X, margin)

    @cached_property
    def seeds(self) -> list[list[Run]]:
        """The runs of each seed that did not diverge, by increasing stepsize."""
        return by_seed(self.runs)

    @cached_property
    def grids(self) -> list[list[Run]]:
        """All runs of each seed, diverged ones too, by increasing stepsize."""
        return by_seed((*self.runs, *self.diverged))

    def lost_above(self) -> str:
        """Which stepsizes above a seed's largest that did not diverge did, in words; "" if none."""
        largest = {runs[-1].seed: runs[-1].stepsize for runs in self.seeds}
        lost = sorted(
            {run.stepsize for run in self.diverged if run.stepsize > largest.get(run.seed, -np.inf)}
        )
        return f"larger stepsizes diverged: {', '.join(f'{h:g}' for h in lost)}" if lost else ""
