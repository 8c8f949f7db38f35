"""The best run of each method's own grid, by which methods are compared.

What counts is the number of gradient and loss evaluations until the training loss is small; it is
read off at recorded steps, so it is up to 1/27 too large (64 steps are recorded per decade).
"""

import numpy as np
import pandas as pd

from largestep.configuration.experiment import Experiment

#: Training losses to reach.
TARGETS = (1e-2, 1e-4, 1e-8)

_RUN = ["descent", "policy", "stepsize"]


def methods(experiment: Experiment, frame: pd.DataFrame) -> pd.Series:
    """Of each row of a result table, the label of its method."""
    labels = {}
    for single in experiment.apart:
        pairs = zip(single.policies, single.stepsizes, strict=True)
        for policy, stepsize in pairs:
            name = policy.full_label if stepsize is None else policy.label
            labels[single.train.direction.label, name] = single.train.label
    pairs = zip(frame["descent"], frame["policy"], strict=True)
    return pd.Series([labels[pair] for pair in pairs], index=frame.index, dtype=object)


def evaluations(trajectories: pd.DataFrame) -> pd.DataFrame:
    """For each run of a seed (descent, policy, stepsize), and each target: the median over seeds of
    the evaluations that it takes to get there; inf where half of the seeds or fewer do."""
    found = {}
    for target in TARGETS:
        reached = trajectories["evaluations"].where(trajectories["loss"] <= target, np.inf)
        by_seed = reached.groupby([trajectories[key] for key in [*_RUN, "seed"]], dropna=False)
        found[target] = by_seed.min().groupby(level=_RUN, dropna=False).median()
    return pd.DataFrame(found)


def of_each(experiment: Experiment, trajectories: pd.DataFrame) -> pd.DataFrame:
    """The best run of each method: columns descent, policy, stepsize and the targets, by label.

    It reaches the smallest loss that any run of its grid reaches with the fewest evaluations; where
    none reaches a target, it has the smallest last loss (median over seeds).
    """
    needed = evaluations(trajectories)
    last = trajectories.sort_values("step").groupby([*_RUN, "seed"], dropna=False)["loss"]
    last = last.last(skipna=False)  # nan after a divergence
    needed["last"] = last.fillna(np.inf).groupby(level=_RUN, dropna=False).median()
    table = needed.reset_index()
    order = table.sort_values([*reversed(TARGETS), "last"], kind="stable")
    return order.groupby(methods(experiment, order), sort=False).first(skipna=False)


def best_of_each(
    experiment: Experiment, trajectories: pd.DataFrame, runs: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of these runs in both tables, in the order configured.

    Their method stands in place of their policy and stepsize, so that each is one curve.
    """
    chosen = of_each(experiment, trajectories)
    found = []
    for frame in (trajectories, runs):
        parts = []
        for single in experiment.apart:
            best = chosen.loc[single.train.label]
            same = frame["descent"].eq(best["descent"]) & frame["policy"].eq(best["policy"])
            at = frame["stepsize"]
            same &= at.isna() if pd.isna(best["stepsize"]) else at.eq(best["stepsize"])
            parts.append(frame[same].assign(policy=single.train.label, stepsize=np.nan, eta=np.nan))
        found.append(pd.concat(parts, ignore_index=True))
    return found[0], found[1]
