"""A run against a reference: equal numbers agree, a little beyond the tolerance they do not."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from largestep.configuration import reading
from largestep.configuration.config import Config
from largestep.results import reference_numbers, run_rows, tables
from largestep.results.reference_numbers import STEPS, VALUES, compare, reference
from largestep.results.store import Store
from largestep.results.train_job import Grid, train_grid

ROOT = Path(__file__).parents[2]
TWO_LAYER = {"eta": 5.0, "model": "two-layer, m = 20", "dtype": "float64"}
MLP = {"eta": None, "model": "3-layer MLP, widths 8-8", "dtype": "float32"}


def runs(seeds=(0, 1, 2), **changes) -> pd.DataFrame:
    """Rows of tables.RUNS, different for every seed; `changes` replace columns."""
    seeds = np.array(seeds)
    columns = dict.fromkeys(tables.RUNS.names) | {
        "experiment": "a",
        "dataset": "xor",
        "activation": "gelu",
        "seed": seeds,
        "stepsize": 100.0,
        "device": "cpu",
        "steps": 1000,
        "status": "ok",
        "final_loss": 0.003 * (1 + 0.1 * seeds),
        "final_normalized_margin": 0.02 + 0.001 * seeds,
        "final_param_norm": 15.0 + seeds,
        "final_train_accuracy": 0.9,
        "final_test_accuracy": 0.8 + 0.01 * seeds,
        "last_increase_step": 100 + 10 * seeds,
        "separation_step": 200 + 20 * seeds,
        "stable_phase_step": 300 + 30 * seeds,
    }
    return pd.DataFrame(columns | TWO_LAYER | changes)


def differing(expected: pd.DataFrame, found: pd.DataFrame) -> set[tuple[int | None, str]]:
    # By way of JSON, as the stage does.
    kept = json.loads(json.dumps(reference("tiny", expected, []), allow_nan=False))
    return {(p.seed, p.quantity) for p in compare(kept, found)[0] if not p.agrees}


def notes(expected: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    return compare(reference("tiny", expected, []), found)[1]


STILL = [TWO_LAYER, MLP | {"last_increase_step": 0}, TWO_LAYER | {"last_increase_step": 0}]


@given(st.sampled_from(STILL), st.sampled_from(VALUES), st.integers(0, 2), st.sampled_from([-1, 1]))
def test_runs_that_rounding_does_not_sway_agree_to_half_their_digits(kind, quantity, seed, sign):
    expected = runs(**kind)
    assert not differing(expected, expected)
    tolerance = math.sqrt(np.finfo(kind["dtype"]).eps)
    for factor, found in [(0.9, set()), (1.1, {(seed, quantity)})]:
        own = expected.copy()
        own.loc[seed, quantity] *= 1 + sign * factor * tolerance
        assert differing(expected, own) == found


@given(st.sampled_from(STILL), st.sampled_from(STEPS[1:]), st.integers(0, 2))
def test_their_steps_are_equal_but_for_one_in_float32(kind, quantity, seed):
    expected, own = runs(**kind), runs(**kind)
    for later in (1, 2):
        own.loc[seed, quantity] = expected.loc[seed, quantity] + later
        allowed = kind["dtype"] == "float32" and later == 1
        assert differing(expected, own) == (set() if allowed else {(seed, quantity)})


@pytest.mark.parametrize(
    "kind",
    [MLP, MLP | {"dtype": "float64"}, TWO_LAYER | {"dtype": "float32"}],
    ids=["MLP", "float64 MLP", "float32 two-layer"],
)
@pytest.mark.parametrize("quantity", [name for name in VALUES if name != "final_train_accuracy"])
def test_oscillating_runs_agree_in_the_mean_over_their_seeds(kind, quantity):
    expected = runs(**kind)
    # The very same distribution, seeds exchanged: no single run agrees, and nothing differs.
    exchanged = expected.assign(seed=[1, 2, 0])
    assert not differing(expected, exchanged)

    # Two samples of equal variance, against SciPy's test of their means.
    own = expected.copy()
    quantile = stats.t.isf(reference_numbers.FALSE_ALARM / 2, 4)
    error = math.sqrt(2 / 3) * expected[quantity].std()
    for factor, found in [(0.99, set()), (1.01, {(None, quantity)})]:
        own[quantity] = expected[quantity] + factor * quantile * error
        p = stats.ttest_ind(expected[quantity], own[quantity]).pvalue
        assert (p < reference_numbers.FALSE_ALARM) == bool(found)
        assert differing(expected, own) == found


def test_more_seeds_see_smaller_differences():
    def smallest(seeds: range) -> float:
        expected = runs(seeds, **MLP).assign(final_loss=[1 + 0.1 * (s % 2) for s in seeds])
        kept = reference("tiny", expected, [])
        (pair,) = [p for p in compare(kept, expected)[0] if p.quantity == "final_loss"]
        return pair.tolerance

    assert smallest(range(12)) < smallest(range(6)) < smallest(range(4))


def test_one_seed_that_oscillates_is_not_compared():
    one = runs([0], **MLP)
    other = one.assign(final_loss=7.0)
    assert not differing(one, other)
    (note,) = notes(one, other)
    assert note.startswith("a: stepsize 100 not compared")
    assert (0, "status") in differing(one, one.assign(status="diverged"))


@pytest.mark.parametrize("kind", [TWO_LAYER, MLP])
def test_a_quantity_that_only_one_side_has_differs(kind):
    expected = runs(**kind)
    without = expected.assign(separation_step=None)
    seeds = (0, 1, 2) if kind is TWO_LAYER else (None,)
    assert differing(expected, without) == {(seed, "separation_step") for seed in seeds}
    assert differing(without, expected) == differing(expected, without)
    assert not differing(without, without)


def test_seeds_that_disagree_on_having_a_quantity_are_scatter():
    mixed = runs(**MLP).assign(separation_step=[200, None, None])
    assert not differing(mixed, mixed.assign(separation_step=[None, 200, None]))
    assert not differing(mixed, mixed.assign(separation_step=None))


def test_diverged_runs_agree_without_numbers():
    lost = runs().assign(status="diverged", final_loss=math.inf, final_param_norm=math.nan)
    assert not differing(lost, lost)
    assert differing(runs(), lost) >= {(0, "status"), (0, "final_loss"), (0, "final_param_norm")}


@pytest.mark.parametrize(
    ("column", "value"), [("steps", 10), ("dtype", "float32"), ("dataset", "xyz"), ("model", "b")]
)
def test_other_conditions_are_not_comparable(column, value):
    other = runs().assign(**{column: value})
    assert not compare(reference("tiny", runs(), []), other)[0]
    (note,) = notes(runs(), other)
    assert note == (
        f"a: not comparable, {column} is {runs()[column][0]} in the reference, {value} here"
    )


def test_runs_of_one_side_only_are_named_and_the_others_compared():
    own = pd.concat([runs([0, 5]), runs([0], experiment="new")], ignore_index=True)
    assert notes(runs(), own) == [
        "a: 2 of 3 runs of the reference are missing here",
        "a: 1 of 2 runs are only here",
        "new: 1 of 1 runs are only here",
    ]
    own.loc[0, "final_loss"] *= 2
    assert differing(runs(), own) == {(0, "final_loss")}


# The stage


def run_stage(tmp_path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "largestep.stages.compare", "results/tiny", *options]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)


def test_stage_writes_a_reference_and_says_what_differs(tmp_path):
    missing = run_stage(tmp_path)
    assert missing.returncode == 1
    assert missing.stderr == (
        "results/tiny/metrics/runs.parquet: is missing; run the configuration named tiny first\n"
    )

    path = tmp_path / "results/tiny/metrics/runs.parquet"
    path.parent.mkdir(parents=True)
    tables.write(runs(), tables.RUNS, path)
    assert "docs/reference/tiny.json: is missing" in run_stage(tmp_path).stderr
    assert run_stage(tmp_path, "--write").returncode == 0
    equal = run_stage(tmp_path)
    assert equal.returncode == 0
    assert equal.stdout == "27 of 27 quantities agree with docs/reference/tiny.json\n"

    tables.write(runs().assign(final_loss=[0.003, 0.0033, 0.004]), tables.RUNS, path)
    other = run_stage(tmp_path)
    assert other.returncode == 1
    first, header, row = other.stdout.splitlines()
    assert first.startswith("26 of 27 quantities agree")
    assert header.split()[:4] == ["experiment", "stepsize", "seed", "quantity"]
    assert row.split() == ["a", "100", "2", "final_loss", "0.0036", "0.004", "0.0004", "5.4e-11"]

    (tmp_path / "docs/reference/tiny.json").write_text("{}")
    broken = run_stage(tmp_path)
    assert broken.returncode == 1 and len(broken.stderr.splitlines()) == 1


# The reference of the demo


def demo() -> Config:
    return reading.parse(reading.read_yaml(ROOT / "config/demo.yaml"), "config/demo.yaml")


def test_the_demo_has_a_reference_of_all_its_runs():
    kept = json.loads((ROOT / "docs/reference/demo.json").read_text())
    names = ("experiment", "stepsize", "seed", "eta", "dataset", "model", "dtype", "steps")
    configured = {
        (name, stepsize, seed, eta, e.dataset.key, e.model.label, e.train.dtype, e.train.steps)
        for name, e in demo().experiments.items()
        for stepsize, eta in zip(e.stepsizes, e.etas, strict=True)
        for seed in e.train.seeds
    }
    assert {tuple(run[name] for name in names) for run in kept["runs"]} == configured, (
        "after a change of config/demo.yaml: make demo, then "
        "python -m largestep.stages.compare results/demo --write"
    )


@pytest.mark.parametrize("name", ["fig2_xor", "theory"])
def test_training_here_agrees_with_it(name, tmp_path):
    kept = json.loads((ROOT / "docs/reference/demo.json").read_text())
    experiment = demo().experiments[name]
    samples = (*experiment.dataset.points(), None, None)
    grid = Grid.of(experiment, samples, experiment.train.seeds[:1], torch.device("cpu"), 1)
    keys = [str(k) for k in range(len(grid.seeds))]
    trained = train_grid(grid, keys, Store(tmp_path))
    identity = run_rows.identify(name, experiment, grid)
    pairs, _ = compare(kept, run_rows.summaries(identity, grid, keys, trained))
    assert len(pairs) == 9 * len(keys)
    assert not [pair for pair in pairs if not pair.agrees]
