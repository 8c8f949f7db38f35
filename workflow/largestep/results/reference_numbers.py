"""Anyone's runs against the numbers of a reference run, quantity by quantity.

How closely must two runs agree that differ in nothing but rounding (processor, library, device)?
Measured by moving every number of the data and of the initial weights by one rounding:

- Most runs stay where they are. Values of two-layer nets in float64, oscillating or not, move by at
  most 6e-11 of themselves, those of float32 runs whose loss never rises by 8e-7, and no step count
  changes. They are held to half the digits of their dtype, sqrt(eps): 1.5e-8 and 3.5e-4.
- An MLP that oscillates ends elsewhere, in float64 too: the final loss of the demo's teaser moves
  by 11%, in float64 by 2%, where those of its three seeds lie within 10%. Only what the seeds have
  in common is comparable, so their mean is, within Student's t of the scatter that both sides show.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

#: What two runs must share to be comparable.
CONDITIONS = ("dataset", "model", "activation", "dtype", "steps")

VALUES = (
    "final_loss",
    "final_normalized_margin",
    "final_param_norm",
    "final_train_accuracy",
    "final_test_accuracy",
)
STEPS = ("last_increase_step", "separation_step", "stable_phase_step")

#: What is kept of a run, beside what is compared.
_KEPT = ("experiment", "stepsize", "seed", "eta", *CONDITIONS, "device", "status")

#: How often the means of two samples of one distribution are said to differ (our choice).
FALSE_ALARM = 1e-3

Run = Mapping[str, Any]
Grid = dict[float, dict[int, Run]]  # by stepsize and seed


@dataclass(frozen=True)
class Pair:
    """A quantity of the reference and of the user's runs; seed None: a mean over seeds.

    tolerance: of the difference of two numbers; where one is missing or a word, both must be equal.
    """

    experiment: str
    stepsize: float
    seed: int | None
    quantity: str
    reference: float | str | None
    yours: float | str | None
    tolerance: float | None

    @property
    def difference(self) -> float | None:
        """yours - reference, where both are numbers."""
        if any(value is None or isinstance(value, str) for value in (self.reference, self.yours)):
            return None
        return self.yours - self.reference

    @property
    def agrees(self) -> bool:
        if self.difference is None:
            return self.reference == self.yours
        return abs(self.difference) <= self.tolerance


def reference(name: str, runs: pd.DataFrame, made: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The key numbers in rows of tables.RUNS, as JSON values.

    made: commit, libraries and machine of the jobs that trained these runs.
    """
    return {"name": name, "made": list(made), "runs": _records(runs)}


def compare(expected: Mapping[str, Any], runs: pd.DataFrame) -> tuple[list[Pair], list[str]]:
    """Rows of tables.RUNS beside a `reference`: what is comparable, and a line for what is not."""
    theirs, ours = _grids(expected["runs"]), _grids(_records(runs))
    pairs, notes = [], []
    for name in dict.fromkeys([*theirs, *ours]):
        found, said = _compare(theirs.get(name, {}), ours.get(name, {}))
        pairs += found
        notes += [f"{name}: {text}" for text in said]
    return pairs, notes


def _compare(theirs: Grid, ours: Grid) -> tuple[list[Pair], list[str]]:
    """The same for the grids of one experiment."""
    pairs, notes = [], []
    if absent := _beyond(theirs, ours):
        notes.append(f"{absent} of {_size(theirs)} runs of the reference are missing here")
    if extra := _beyond(ours, theirs):
        notes.append(f"{extra} of {_size(ours)} runs are only here")
    for stepsize in (step for step in theirs if step in ours):
        a, b = theirs[stepsize], ours[stepsize]
        some, other = next(iter(a.values())), next(iter(b.values()))
        for name in CONDITIONS:
            if some[name] != other[name]:
                text = (
                    f"not comparable, {name} is {some[name]} in the reference, {other[name]} here"
                )
                return [], [text]
        shared = [(a[seed], b[seed]) for seed in a if seed in b]
        pairs += [Pair(*_place(x), "status", x["status"], y["status"], None) for x, y in shared]
        if not _wanders([*a.values(), *b.values()]):
            pairs += [_of_runs(x, y, name) for x, y in shared for name in (*VALUES, *STEPS)]
        elif len(a) + len(b) > 2:
            pairs += [_of_means([*a.values()], [*b.values()], name) for name in (*VALUES, *STEPS)]
        else:
            notes.append(
                f"stepsize {stepsize:g} not compared, an oscillating run ends where rounding "
                "takes it and one seed does not show how far apart such ends lie"
            )
    return pairs, notes


def _wanders(runs: Iterable[Run]) -> bool:
    """Whether rounding decides where such runs end: any oscillates, bar float64 two-layer nets."""
    return any(
        run["last_increase_step"] and (run["eta"] is None or run["dtype"] == "float32")
        for run in runs
    )


def _of_runs(a: Run, b: Run, name: str) -> Pair:
    """A quantity of two runs that must agree to half the digits of their dtype."""
    tolerance = _half_the_digits(a["dtype"], a[name])
    if name in STEPS and a["dtype"] == "float32":
        tolerance = max(tolerance, 1)  # a threshold met within rounding
    return Pair(*_place(a), name, a[name], b[name], tolerance)


def _of_means(a: Sequence[Run], b: Sequence[Run], name: str) -> Pair:
    """A quantity's mean over seeds; the seeds of a side that lack it are left out.

    Two samples of one normal distribution: the difference of their means over its standard error,
    with the variance of both together, follows Student's t. Where some seeds of one side
    and all of the other's lack the quantity, that is scatter too, and agrees.
    """
    first, second = ([run[name] for run in runs if run[name] is not None] for runs in (a, b))
    place = (a[0]["experiment"], a[0]["stepsize"], None, name)
    if not first or not second:
        complete = len(first) == len(a) or len(second) == len(b)
        values = [fmean(found) if found and complete else None for found in (first, second)]
        return Pair(*place, *values, None)
    freedom = len(first) + len(second) - 2
    tolerance = math.inf
    if freedom:
        squares = sum((value - fmean(side)) ** 2 for side in (first, second) for value in side)
        error = math.sqrt(squares / freedom * (1 / len(first) + 1 / len(second)))
        tolerance = _student(freedom) * error + _half_the_digits(a[0]["dtype"], fmean(first))
    return Pair(*place, fmean(first), fmean(second), tolerance)


def _half_the_digits(dtype: str, value: float | None) -> float:
    return math.sqrt(np.finfo(dtype).eps) * abs(value or 0)


def _student(freedom: int) -> float:
    """What |t| exceeds with probability FALSE_ALARM."""
    from scipy.stats import t  # takes a second to import

    return float(t.isf(FALSE_ALARM / 2, freedom))


def _place(run: Run) -> tuple[str, float, int]:
    return run["experiment"], run["stepsize"], run["seed"]


def _records(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows' key numbers; missing and infinite ones are None, as in JSON."""
    kept = runs[[*_KEPT, *VALUES, *STEPS]].replace([np.inf, -np.inf], np.nan)
    kept = kept.astype(dict.fromkeys(STEPS, "Int64"))
    return kept.astype(object).where(kept.notna(), None).to_dict("records")


def _grids(runs: Iterable[Run]) -> dict[str, Grid]:
    """The runs of each experiment by stepsize and seed."""
    grids: dict[str, Grid] = {}
    for run in runs:
        own = grids.setdefault(run["experiment"], {})
        own.setdefault(run["stepsize"], {})[run["seed"]] = run
    return grids


def _size(grid: Grid) -> int:
    return sum(map(len, grid.values()))


def _beyond(grid: Grid, other: Grid) -> int:
    """How many runs of a grid another lacks."""
    return sum(len(runs.keys() - other.get(step, {}).keys()) for step, runs in grid.items())
