"""Runs as a table, and what must be said first of those that diverged or froze."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from largestep.report.numbers import NOTHING, number, share, some, steps

_MOST_ROWS = 200  # of an experiment


class Column(NamedTuple):
    """A column: heading, meaning, its cells as text, and what they are sorted by."""

    heading: str
    meaning: str
    cells: list[str]
    keys: list[float | str]


def columns(runs: pd.DataFrame, names: Sequence[str]) -> list[Column]:
    """One row per run, experiments as in `names`, largest stepsize first; no empty columns.

    No more than _MOST_ROWS of an experiment: all are in runs.parquet, and a page must stay light.
    """
    rows = runs.assign(place=runs["experiment"].map(list(names).index))
    rows = rows.sort_values(["place", "stepsize", "seed"], ascending=[True, False, True])
    rows = rows.groupby("experiment", sort=False).head(_MOST_ROWS)
    directions, policies = (len(rows[name].unique()) > 1 for name in ("descent", "policy"))
    table = [
        ("experiment", "", rows["experiment"], str),
        ("direction", "of a step", rows["descent"] if directions else None, str),
        ("policy", "how the stepsize is chosen", rows["policy"] if policies else None, str),
        ("η", "stepsize", rows["eta"], number),
        ("η̃", "effective stepsize, m η for a two-layer network", rows["stepsize"], number),
        ("seed", "of the initialization", rows["seed"], str),
        ("status", "and the step from which it holds", rows.apply(_status, axis=1), str),
        ("loss", "training loss at the last step", rows["final_loss"], number),
        ("margin", "normalized margin at the last step", rows["final_normalized_margin"], number),
        (
            "last increase",
            "last step at which the loss increased",
            rows["last_increase_step"],
            steps,
        ),
        (
            "interpolation",
            "first step with a training accuracy of 100%",
            rows["separation_step"],
            steps,
        ),
        (
            "transition",
            "first step under Theorem 2.2's threshold",
            rows["stable_phase_step"],
            steps,
        ),
        ("train", "training accuracy at the last step", rows["final_train_accuracy"], share),
        ("test", "test accuracy at the last step", rows["final_test_accuracy"], share),
    ]
    return [
        Column(heading, meaning, [written(value) for value in values], _keys(values))
        for heading, meaning, values, written in table
        if values is not None and values.notna().any()
    ]


def left_out(runs: pd.DataFrame) -> int:
    """How many runs `columns` leaves out."""
    return int((runs.groupby("experiment").size() - _MOST_ROWS).clip(lower=0).sum())


def warnings(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """Experiment and text for runs that diverged or froze, which reach no further conclusion."""
    meanings = {
        "diverged": "diverged: a weight or the loss stopped being a finite number",
        "frozen": "froze: updates fell below the rounding of the weights, which then stood still",
    }
    found = []
    stopped = runs[runs["status"] != "ok"]
    for (name, status), rows in stopped.groupby(["experiment", "status"], sort=False):
        total = (runs["experiment"] == name).sum()
        sizes = sorted(rows["stepsize"].dropna().unique())
        of = f" (η̃ = {some(list(map(number, sizes)))})" if sizes else ""
        found.append((name, f"{len(rows)} of {total} runs {meanings[status]}{of}"))
    return found


def _keys(values: pd.Series) -> list[float | str]:
    return ["" if pd.isna(value) else value for value in values]


def _status(run: pd.Series) -> str:
    if run["status"] == "ok":
        return "ok"
    at = steps(run["status_step"])
    return run["status"] if at == NOTHING else f"{run['status']} at {at}"
