"""What a figure shows, in two sentences of numbers from its own runs."""

from collections.abc import Mapping

import pandas as pd

from largestep.configuration.experiment import Experiment
from largestep.report.numbers import number, steps
from largestep.results.best import methods


def sentences(experiment: Experiment, runs: pd.DataFrame) -> str:
    """The loss at the end for the largest and the smallest stepsize, and what was non-monotone.

    Medians across seeds; runs that diverged have no loss at the end.
    """
    kept = runs[(runs["status"] != "diverged") & runs["final_loss"].notna()]
    if kept.empty:
        return "Every run diverged."
    text = f"After {steps(experiment.train.steps)} steps the training loss is "
    if experiment.train.methods:
        by_method = kept.groupby(methods(experiment, kept), sort=False)["final_loss"].min()
        best, worst = by_method.idxmin(), by_method.idxmax()
        said = f"{number(by_method[best])} ({best}) to {number(by_method[worst])} ({worst})"
        return f"{text}{said}, by each method's best run. {_phases(kept)}"
    symbol = "eta" if experiment.grid[0] == "eta" else "eta_tilde"
    losses = kept.groupby("stepsize")["final_loss"].median()
    ends = dict.fromkeys((losses.index[-1], losses.index[0])) if len(losses) else {}
    given = experiment.given
    parts = [f"{number(losses[step])} with {symbol} = {given.get(step, step):g}" for step in ends]
    if not parts:  # stepsizes that policies choose
        by_policy = kept.groupby("policy", sort=False)["final_loss"].median()
        parts = [f"{number(loss)} with {policy}" for policy, loss in by_policy.items()]
    return f"{text}{' and '.join(parts)}. {_phases(kept)}"


def mapped(found: Mapping[str, float | None]) -> str:
    """Of an atlas: how many runs, how many diverged, and how fast they were trained."""
    rate = f", {number(found['rate'])} runs a second" if found["rate"] else ""
    diverged = f" {steps(found['diverged'])} of them diverged." if found["diverged"] else ""
    return f"{steps(found['runs'])} runs in one job{rate}.{diverged}"


def _phases(runs: pd.DataFrame) -> str:
    total, many = len(runs), int((runs["last_increase_step"] > 0).sum())
    if many == 0:
        return "The loss is monotone." if total == 1 else "The loss is monotone in every run."
    last = steps(runs["last_increase_step"].max())
    which = "" if total == 1 else f" in {many} of {total} runs"
    return f"The loss is non-monotone{which}, for the last time at step {last}."
