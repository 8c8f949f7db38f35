"""Several methods side by side: their tables, and the panels that show them."""

import re
from importlib import import_module

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from matplotlib.figure import Figure

from largestep.configuration.experiment import Experiment
from largestep.report import explorer, figures, outcome, style
from largestep.report.numbers import number
from largestep.report.panels.curves import Scene
from largestep.results import best, geometry_rows, norms, run_rows, tables
from largestep.results.store import Store
from largestep.results.train_job import Grid, train_grid

EXPERIMENT = Experiment.model_validate(
    {
        "dataset": {"source": "xor"},
        "model": {"kind": "two_layer_both", "width": 8, "activation": {"name": "relu"}},
        "train": {
            "methods": [
                {"stepsize": [2, 4]},
                {"direction": {"name": "sign"}, "stepsize": [0.2]},
                {"direction": {"name": "coordinate"}, "stepsize": [2]},
                {"direction": {"name": "adam"}, "stepsize": [0.05]},
                {"policy": {"name": "polyak"}},
            ],
            "seeds": [0, 1],
            "steps": 300,
            "record": {"snapshots": 8},
        },
        "geometry": True,
        "figure": {
            "panels": [
                *("loss_by_evaluations", "margin_by_evaluations", "evaluations_needed"),
                *("own_margin", "final_margins", "alignment", "slackness", "loss"),
            ]
        },
    }
)
LABELS = ["gradient descent", "sign descent", "coordinate descent", "Adam", "Polyak"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trajectories, with their geometry, and runs; as the stages make them."""
    X, y = EXPERIMENT.dataset.points()
    store, parts = Store(tmp_path_factory.mktemp("store")), []
    for method in EXPERIMENT.apart:
        grid = Grid.of(method, (X, y, None, None), [0, 1], torch.device("cpu"), 1)
        keys = grid.keys("data")
        runs = train_grid(grid, keys, store)
        identity = run_rows.identify("several", method, grid)
        summary = run_rows.summaries(identity, grid, keys, runs)
        kept = run_rows.snapshots(keys, runs)
        device = torch.device("cpu")
        found = geometry_rows.along(EXPERIMENT, X, y, summary, kept, device)
        rows = run_rows.trajectories(identity, runs)
        table = pa.Table.from_pandas(rows, schema=tables.TRAJECTORIES, preserve_index=False)
        summary = pa.Table.from_pandas(summary, schema=tables.RUNS, preserve_index=False)
        summary = summary.cast(tables.RUNS)  # as a file has it
        parts.append((tables.with_geometry(table, found).to_pandas(), summary.to_pandas()))
    trajectories, runs = (pd.concat(each, ignore_index=True) for each in zip(*parts, strict=True))
    return trajectories, runs


@pytest.fixture(scope="module")
def scene(trained) -> Scene:
    return Scene(EXPERIMENT, *best.best_of_each(EXPERIMENT, *trained), grid=trained[0])


def axes(scene: Scene, panel: str):
    with style.theme():
        ax = Figure().add_subplot()
        import_module(f"largestep.report.panels.{panel}").draw(ax, scene)
    return ax


def test_every_run_of_every_method_is_in_the_tables_once(trained):
    trajectories, runs = trained
    assert len(runs) == 2 * 6 and runs["key"].is_unique
    assert not runs.duplicated(["seed", "descent", "policy", "stepsize"]).any()
    kept = trajectories.dropna(subset="norm_l1")
    assert len(kept) == 12 * len(kept["step"].unique()) and 300 in set(kept["step"])
    l1, l2, linf = kept["norm_l1"], kept["param_norm"], kept["norm_linf"]
    assert (linf <= l2).all() and (l2 <= l1).all() and (l2**2 <= l1 * linf * (1 + 1e-12)).all()
    assert (norms.alignment(kept, "l2") <= 1 + 1e-12).all()


def test_next_loss_is_the_loss_of_the_next_step(trained):
    """At steps 0 and 1, of which the next one is recorded, for what does not remember."""
    trajectories, _ = trained
    constant = trajectories[trajectories["policy"] == "constant"]
    for descent, rows in constant.groupby("descent"):
        by_run = rows.set_index(["stepsize", "seed", "step"])
        for (stepsize, seed, step), row in by_run.iterrows():
            if step <= 1 and not descent.startswith("Adam"):
                after = by_run.loc[(stepsize, seed, step + 1), "loss"]
                assert row["next_loss"] == pytest.approx(after, rel=1e-12)


def test_the_number_map_has_the_fewest_evaluations(scene, trained):
    ax = axes(scene, "evaluations_needed")
    texts = np.array([text.get_text() for text in ax.texts]).reshape(5, 3)
    rows = trained[0]
    for label, line in zip(LABELS, texts, strict=True):
        own = rows[best.methods(EXPERIMENT, rows) == label]
        for target, text in zip(best.TARGETS, line, strict=True):
            needed = []
            for _, run in own.groupby(["stepsize", "policy"], dropna=False):
                each = [r.loc[r["loss"] <= target, "evaluations"] for _, r in run.groupby("seed")]
                needed.append(np.median([e.min() if len(e) else np.inf for e in each]))
            assert text == (f"{min(needed):,.0f}" if np.isfinite(min(needed)) else "–")  # noqa: RUF001
    assert [label.get_text() for label in ax.get_yticklabels()] == LABELS


def test_final_margins_are_medians_over_seeds(scene):
    ax = axes(scene, "final_margins")
    last = scene.trajectories[scene.trajectories["step"] == 300]
    texts = np.array([text.get_text() for text in ax.texts]).reshape(5, 3)
    for k, column in enumerate(("norm_l1", "param_norm", "norm_linf")):
        margins = (last["margin"] / last[column] ** 2).groupby(last["policy"], sort=False).median()
        for label, text in zip(LABELS, texts[:, k], strict=True):
            assert text == number(margins[label], 2)
        bold = [text.get_fontweight() == "bold" for text in ax.texts[k::3]]
        assert bold == (margins == margins.max()).loc[LABELS].tolist()


def test_own_norms(scene):
    """Coordinate descent's curve ends at 1 where its margin in l1 is largest at the end."""
    ax, rows = axes(scene, "own_margin"), scene.trajectories
    own = rows[(rows["policy"] == "coordinate descent") & rows["norm_l1"].notna()]
    curves = [line for line in ax.lines if line.get_color() == scene.palette["coordinate descent"]]
    margin = own["margin"] / own["norm_l1"] ** 2
    share = margin / margin.groupby(own["seed"]).transform("max").abs()
    drawn = curves[0].get_xydata()
    expected = share.groupby(own["step"]).median()
    assert np.allclose(drawn[:, 1], expected[drawn[:, 0]])


def test_the_figure_names_methods_and_says_which_run_stands_for_each(scene):
    with style.theme():
        drawn = figures.draw(scene)
    (legend,) = drawn.figure.legends
    assert [text.get_text() for text in legend.get_texts()][:5] == LABELS
    assert "fewest evaluations" in drawn.captions
    assert len({scene.palette[label] for label in LABELS}) == 5


def test_the_page_tells_methods_apart(scene, trained):
    found = explorer.data(EXPERIMENT, scene.trajectories, scene.runs, [])
    assert {run["curve"] for run in found["runs"]} == set(LABELS)
    said = outcome.sentences(EXPERIMENT, trained[1])
    assert re.match(
        r"After 300 steps the training loss is \S+ \(Polyak\) to \S+ \(coordinate", said
    )
