"""Atlases: what they mean, what their job computes, what their figures show."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from largestep.common.errors import UserError
from largestep.configuration import atlas as configuration
from largestep.configuration import reading
from largestep.configuration.config import Config
from largestep.graph import estimate
from largestep.graph.dag import Graph
from largestep.report import atlas as figures
from largestep.report import atlas_lines, atlas_maps, style
from largestep.report.atlas_kinds import KINDS
from largestep.results import atlas as jobs
from largestep.results import provenance, run_rows, tables
from largestep.results.checkpoint import Checkpoint
from largestep.results.store import Store
from largestep.results.train_job import Grid, train_grid
from largestep.theory import bounds

LEAKY = {"name": "leaky_softplus", "c": 0.5}
BASE = {
    "dataset": {"source": "margin", "n": 20, "d": 5, "gamma": 0.1},
    "model": {"kind": "two_layer", "width": 4, "activation": LEAKY},
    "train": {"eta": [30], "seeds": [0], "steps": 60},
}
ETAS = {"train.eta": {"from": 1, "to": 1000, "count": 4}}
PLAIN = {"of": "base", "x": ETAS, "y": {"train.seeds": {"from": 3, "count": 3}}}
MOVING = {"panels": ["relative_movement", "kernel_movement"], "y": {"model.scale": [0.1, 1, 10]}}
CPU = torch.device("cpu")


def content(base: dict = BASE, **changes) -> dict:
    return {
        "name": "tiny",
        "device": "cpu",
        "experiments": {"base": base, "other": BASE | {"train": BASE["train"] | {"eta": [1, 2]}}},
        "atlases": {"map": PLAIN | changes},
    }


def config(base: dict = BASE, **changes) -> Config:
    return reading.parse(content(base, **changes), "my.yaml")


def samples_of(experiment):
    made = experiment.dataset.load(Path())
    return (made.X, made.y, made.X_test, made.y_test), experiment.dataset.key


def mapped(folder: Path, base: dict = BASE, interval: float = 60.0, **changes) -> pd.DataFrame:
    whole = config(base, **changes)
    checkpoint = Checkpoint(folder / "map.parquet", interval)
    given = ("map", whole.atlases["map"], whole.experiments["base"], samples_of, CPU, 1)
    return jobs.mapped(*given, checkpoint).rows.to_pandas()


# Configuration


def test_axes_are_ratios_lists_or_consecutive_seeds():
    atlas = config(y={"model.width": [2, 8]}).atlases["map"]
    assert atlas.axes == {"train.eta": (1.0, 10.0, 100.0, 1000.0), "model.width": (2, 8)}
    assert config().atlases["map"].axes["train.seeds"] == (3, 4, 5)


def test_an_atlas_survives_the_way_through_json():
    whole = config(**MOVING)
    assert Config.model_validate_json(reading.to_json(whole)) == whole
    assert set(whole.only("map").experiments) == {"base"}


def test_runs_that_share_data_and_network_are_one_batch(monkeypatch):
    whole = config()
    base, atlas = whole.experiments["base"], whole.atlases["map"]
    (batch,) = atlas.batches(base)
    assert batch.experiment.train.seeds == (3, 4, 5) and atlas.runs(base) == 12
    assert batch.x == atlas.axes["train.eta"] * 3
    assert batch.y == (3,) * 4 + (4,) * 4 + (5,) * 4
    monkeypatch.setattr(configuration, "TOGETHER", 9)
    parts = list(atlas.batches(base))
    assert [part.experiment.train.seeds for part in parts] == [(3, 4), (5,)]
    assert sum((part.x for part in parts), ()) == batch.x
    scales = config(**MOVING).atlases["map"].batches(base)
    assert [(b.experiment.model.scale, set(b.y)) for b in scales] == [
        (0.1, {0.1}),
        (1, {1}),
        (10, {10}),
    ]


def test_what_is_on_no_axis_is_the_experiments():
    atlas = config(of="base", x={"model.scale": [1, 2]}, y={"model.width": [2, 4]}, steps=7)
    batches = list(atlas.atlases["map"].batches(atlas.experiments["base"]))
    assert [b.experiment.etas for b in batches] == [(30,)] * 4
    assert {b.experiment.train.steps for b in batches} == {7}


MISTAKES = [
    ({"y": {"model.width": [2, 3]}}, "atlases.map.model.width: must be even"),
    ({"y": {"model.width": [2, 4.5]}}, "atlases.map.model.width: must be a valid integer"),
    ({"y": {"model.wdth": [2, 4]}}, "map.y: must be over a number that the experiment has"),
    ({"y": {"model.kind": [2, 4]}}, "map.y: must be over a number that the experiment has"),
    ({"y": {"model.scale": [1, 1]}}, "map.y: model.scale: values must differ"),
    ({"y": {"dataset.gamma": [0.1, 0.7]}}, "dataset.gamma: must be less than or equal to 0.5"),
    ({"y": {"steps": [1, 2]}}, "map.y: must be over train.eta, train.stepsize, train.seeds, or"),
    ({"y": {"train.eta": [1, 2]}}, "map.y: must be over another key than x"),
    ({"y": {"train.stepsize": [1, 2]}}, "map.y: must be over another key than the stepsize"),
    ({"y": {"train.seeds": [0, 0.5]}}, "map.train.seeds[1]: must be a valid integer"),
    ({"y": {"train.seeds": [0, 0]}}, "map.train.seeds: values must differ"),
    ({"x": {"train.eta": [-1, 2]}}, "map.train.eta[0]: must be greater than 0"),
    ({"x": {"train.eta": [1]}}, "x.train.eta: must be a list of two or more numbers, or from, to"),
    ({"x": {"train.eta": {"from": 3, "to": 2, "count": 5}}}, "with 0 < from < to"),
    ({"x": {"train.eta": {"from": 1, "to": 2, "count": 10**9}}}, "must be a list of two or more"),
    ({"x": {}}, "map.x: must have 1 or more entries"),
    ({"x": ETAS | {"model.scale": [1, 2]}}, "map.x: must have 1 or fewer entries"),
    (
        {"x": {"train.eta": list(range(1, 1001))}, "y": {"model.scale": list(range(1, 22))}},
        "at most",
    ),
    ({"of": "nothing"}, "map.of: nothing is not an experiment"),
    ({"of": "other", "x": {"model.scale": [1, 2]}}, "map.of: other has 2 stepsizes; put them"),
    ({"panels": ["loss"]}, "map.panels[0]: must be 'transition_step'"),
    ({"panels": ["test_accuracy"]}, "test_accuracy needs test data, which margin lacks"),
    ({"draw": "lines"}, "map.draw: must be 'maps' or 'curves'"),
    ({"draw": "curves", "y": {"train.seeds": {"from": 0, "count": 10}}}, "map.draw: curves are"),
    ({"steps": 0}, "map.steps: must be greater than or equal to 1"),
    ({"step": 1}, "map.step: is not a known key"),
]


@pytest.mark.parametrize(("changes", "expected"), MISTAKES)
def test_mistakes_are_named_in_one_line(changes, expected):
    with pytest.raises(UserError) as caught:
        config(**changes)
    assert str(caught.value).startswith("my.yaml: atlases.map") and expected in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_what_an_experiment_cannot_give_is_a_mistake():
    mlp = BASE | {
        "model": {"kind": "mlp", "widths": [4], "activation": {"name": "gelu"}},
        "train": {"stepsize": [1], "seeds": [0], "steps": 5},
    }
    with pytest.raises(UserError, match=r"atlases\.map\.train\.eta: only a two_layer model has"):
        config(mlp)
    with pytest.raises(UserError, match=r"map\.panels: transition_step is Theorem 2\.2's"):
        config(mlp, x={"train.stepsize": [1, 2]})
    gated = mlp | {"model": {"kind": "gated", "widths": [4]}}
    with pytest.raises(UserError, match=r"map\.panels: what moves is not known of a gated model"):
        config(gated, x={"train.stepsize": [1, 2]}, panels=["kernel_movement"])
    several = BASE | {
        "train": {"methods": [{"eta": [1]}, {"eta": [2], "direction": {"name": "sign"}}]}
    }
    several["train"] |= {"seeds": [0], "steps": 5}
    with pytest.raises(UserError, match=r"map\.of: base has several methods"):
        config(several)
    digits = BASE | {"dataset": {"source": "digits", "classes": "odd_even", "n": 20}}
    with pytest.raises(UserError, match=r"map\.y: must not be over dataset\.n: digits comes from"):
        config(digits, y={"dataset.n": [10, 20]})
    given = BASE | {"model": BASE["model"] | {"initial_weights": [[1.0] * 5] * 4}}
    with pytest.raises(UserError, match=r"my\.yaml: atlases\.map\.model\.initial_weights: must be"):
        Graph(config(given, y={"model.width": [2, 4]}), "my.yaml").check()
    with pytest.raises(UserError, match=r"atlases\.base: is also the name of an experiment"):
        reading.parse(content() | {"atlases": {"base": PLAIN}}, "my.yaml")


# The job


@pytest.mark.parametrize("changes", [{}, MOVING, {"y": {"dataset.gamma": [0.05, 0.3]}}])
def test_every_run_has_the_bits_of_a_run_of_its_own(tmp_path, changes):
    found = mapped(tmp_path, **changes)
    whole = config(**changes)
    snapshots = int(whole.atlases["map"].moves)
    for row in found.iloc[::5].to_dict("records"):
        base = whole.experiments["base"].model_dump()
        base["train"] |= {"eta": [row["eta"]], "seeds": [int(row["seed"])]}
        base["train"]["record"] = {"snapshots": snapshots}
        (key,) = whole.atlases["map"].y
        part, _, name = key.partition(".")
        if part != "train":
            base[part][name] = row["y"]
        alone = type(whole.experiments["base"]).model_validate(base)
        samples, digest = samples_of(alone)
        grid = Grid.of(alone, samples, alone.train.seeds, CPU, 1)
        keys = grid.keys(digest)
        runs = train_grid(grid, keys, Store(tmp_path / "store"))
        rows = run_rows.summaries(run_rows.identify("map", alone, grid), grid, keys, runs)
        for name, value in rows.iloc[0].items():
            assert pd.isna(row[name]) if pd.isna(value) else row[name] == value, name
    assert found["x"].tolist() == found["eta"].tolist()


def test_an_interrupted_job_goes_on_and_ends_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(configuration, "TOGETHER", 4)
    (tmp_path / "whole").mkdir()
    whole, trained = mapped(tmp_path / "whole", **MOVING), jobs.train_whole
    begun = []

    def killed_in_the_third(*given):
        begun.append(1)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return trained(*given)

    monkeypatch.setattr(jobs, "train_whole", killed_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        mapped(tmp_path, interval=0, **MOVING)
    pd.testing.assert_frame_equal(mapped(tmp_path, interval=0, **MOVING), whole, check_exact=True)
    assert len(begun) == 4  # the last of three batches alone


def test_movements_and_sharpness_are_those_of_the_weights(tmp_path):
    found = mapped(tmp_path, **MOVING)
    assert found["feature_movement"].gt(0).all() and found["kernel_movement"].gt(0).all()
    smallest = found[found["x"] == 1].set_index("y")["relative_movement"]
    assert smallest[0.1] > smallest[1] > smallest[10]
    assert found.groupby("y")["initial_sharpness"].nunique().eq(1).all()
    assert mapped(tmp_path)["relative_movement"].isna().all()
    still = mapped(tmp_path, x={"model.scale": [1, 2]}, y={"model.width": [2, 4]})
    assert still["initial_sharpness"].isna().all()


def test_the_stage_keeps_times_in_the_record_and_out_of_the_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph = Graph(config(y={"dataset.gamma": [0.05, 0.3]}), "my.yaml")
    wildcards = argparse.Namespace(atlas="map")
    assert graph.atlases.data(wildcards) == []
    command = [sys.executable, "-m", "largestep.stages.atlas", "--device", "cpu", "--data"]
    command += ["--spec", graph.atlases.spec(wildcards), "--out", "map.parquet", "--log", "a.log"]
    tables_made = []
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, Path("a.log").read_text()
        tables_made.append(Path("map.parquet").read_bytes())
    assert tables_made[0] == tables_made[1]
    record = provenance.read(Path("a.log"))
    assert record["measured"]["runs"] == 8 and record["measured"]["training_seconds"] > 0
    assert record["result"] == "8 runs" and not Path("results/store").exists()
    assert tables.read(Path("map.parquet"))["dataset"].nunique() == 2


def test_a_job_does_not_depend_on_words_nor_on_what_axes_replace():
    wildcards = argparse.Namespace(atlas="map")

    def spec(**changes) -> str:
        return Graph(config(**changes), "my.yaml").atlases.spec(wildcards)

    assert spec() == spec(title="Another", panels=["final_loss"])
    other = BASE | {"train": BASE["train"] | {"eta": [7], "seeds": [9]}}
    assert spec() == spec(base=other)
    assert spec() != spec(panels=["kernel_movement"]) and spec() != spec(steps=61)
    two = {"x": ETAS, "y": {"model.scale": [1, 2]}}
    assert spec(**two) != spec(base=other, **two)


def test_requests_grow_with_the_atlas():
    few, many = (
        Graph(config(y={"train.seeds": {"from": 0, "count": n}}, steps=10**6), "my.yaml").atlases
        for n in (2, 200)
    )
    wildcards = argparse.Namespace(atlas="map")
    assert few.minutes(wildcards, 1) < many.minutes(wildcards, 1) <= 24 * 60
    assert few.memory(wildcards, 1) < many.memory(wildcards, 1) < 2 * few.memory(wildcards, 1)
    assert few.work(wildcards) < many.work(wildcards)


def test_an_estimate_counts_an_atlas_until_its_table_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimate, "BUDGET", 0.05)
    graph = Graph(config(y={"model.width": [2, 8]}), "my.yaml")
    found = estimate.forecast(graph, Store(Path("results/store")))[-1]
    assert (found.experiment, found.runs, found.steps) == ("map", 8, 60)
    assert estimate.START < found.training[0] <= estimate.START + 8 * 60 * found.step
    table = Path(graph.atlases.table("map"))
    table.parent.mkdir(parents=True)
    table.touch()
    assert not estimate.forecast(graph, Store(Path("results/store")))[-1].training


# Figures


def drawn(rows: pd.DataFrame, **changes):
    whole = config(**changes)
    with style.theme():
        return figures.draw(whole.atlases["map"], whole.experiments["base"], rows)


def on(ax, label: str) -> np.ndarray:
    """Points of a threshold on a map."""
    dashes = atlas_maps._DASHES[label]
    (line,) = [each for each in ax.lines if (each.get_linestyle() == "-") == (dashes == "-")]
    return line.get_xydata()


@pytest.mark.parametrize("turned", [False, True])
def test_thresholds_stand_where_the_theory_has_them(tmp_path, turned):
    changes = {"x": ETAS, "y": {"model.width": [2, 8]}}
    if turned:
        changes = {"x": changes["y"], "y": changes["x"]}
    rows = mapped(tmp_path, **changes)
    ax = drawn(rows, **changes).figure.axes[0]
    sharp, crossing = (
        on(ax, label)[:, ::-1] if turned else on(ax, label)
        for label in (atlas_lines.SHARPNESS, atlas_lines.CROSSING)
    )
    key = "x" if turned else "y"
    for width in (2, 8):
        own = rows[rows[key] == width].iloc[0]
        (at,) = sharp[1:-1][sharp[1:-1, 1] == width]
        assert at[0] == pytest.approx(2 / own["initial_sharpness"] / width)  # eta_tilde / m
        model = config().experiments["base"].model.model_copy(update={"width": width})
        X, _ = config().experiments["base"].dataset.points()
        c1, c2 = bounds.phase_constants(model, X)
        (at,) = crossing[1:-1][crossing[1:-1, 1] == width]
        assert at[0] == pytest.approx(c2 * len(X) / c1)
    limits = ax.get_xlim() if turned else ax.get_ylim()
    assert sharp[[0, -1], 1] == pytest.approx(limits)


def test_seeds_share_the_median_of_their_thresholds(tmp_path):
    rows = mapped(tmp_path)
    line = on(drawn(rows).figure.axes[0], atlas_lines.SHARPNESS)
    by_seed = rows.groupby("seed")["initial_sharpness"].first()
    assert line[:, 0] == pytest.approx((2 / by_seed / 4).median())


def test_no_threshold_where_none_applies(tmp_path):
    changes = {"x": {"model.scale": [1, 2]}, "y": {"model.width": [2, 4]}}
    assert not drawn(mapped(tmp_path, **changes), **changes).figure.axes[0].lines
    xor = BASE | {"dataset": {"source": "xor"}}
    rows = mapped(tmp_path, base=xor)
    whole = config(xor)
    found = atlas_lines.lines(whole.atlases["map"], whole.experiments["base"], rows)
    assert [line.label for line in found] == [atlas_lines.SHARPNESS]


def wide(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    return rows.pivot_table(index="y", columns="x", values=column)


def cell_colours(ax, place: int) -> np.ndarray:
    return ax.collections[place].get_array()


def test_cells_hold_the_values_and_say_what_has_none(tmp_path):
    rows = mapped(tmp_path)
    rows.loc[rows["x"] == 1000, ["status", "status_step"]] = ["diverged", 40]
    rows.loc[(rows["x"] == 100) & (rows["y"] == 4), "final_loss"] = 0.0
    figure = drawn(rows, panels=["final_loss", "last_increase", "diverged"]).figure
    loss, increase, divergence = (ax for ax in figure.axes if ax.get_gid())
    shown = cell_colours(loss, 0)
    table = wide(rows, "final_loss").to_numpy()
    assert np.ma.allclose(shown[:, :2], table[:, :2]) and shown.mask[:, 3].all()
    below = loss.child_axes[0].get_ylim()[0]
    assert 0 < shown[1, 2] < below  # too small for a number: the darkest colour
    (grey,) = [m for m in increase.collections if set(m.get_array().compressed()) == {0.0}]
    steps = wide(rows, "last_increase_step").to_numpy()
    assert (~grey.get_array().mask[:, :3] == (steps[:, :3] == 0)).all()
    assert set(cell_colours(divergence, 1).compressed()) == {40.0}
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"diverged", "monotone", "did not diverge"} <= labels


def test_the_edge_of_laziness_is_where_the_weights_moved_by_half(tmp_path):
    rows = mapped(tmp_path, **MOVING)
    ax = drawn(rows, **MOVING).figure.axes[0]
    moved = wide(rows, "relative_movement")
    assert moved.min(axis=None) < 0.5 < moved.max(axis=None)
    contour = ax.collections[-1].get_paths()[0].vertices
    column = moved.columns[np.isclose(moved.columns, contour[:, :1]).any(axis=0)][0]
    at = contour[np.isclose(contour[:, 0], column), 1][0]
    below, above = (moved[column][lambda s: s < 0.5], moved[column][lambda s: s >= 0.5])
    assert above.index.max() <= at <= below.index.min()


def test_curves_are_medians_in_the_range_of_seeds(tmp_path):
    base = BASE | {"train": BASE["train"] | {"seeds": [0, 1, 2]}}
    changes = {
        "base": base,
        "x": {"model.scale": {"from": 0.1, "to": 10, "count": 3}},
        "y": {"train.eta": [2, 50]},
        "draw": "curves",
        "panels": ["relative_movement", "normalized_margin"],
    }
    rows = mapped(tmp_path, **changes)
    drawing = drawn(rows, **changes)
    weights, margin = (ax for ax in drawing.figure.axes if ax.get_gid())
    found = rows[rows["y"] == 50].groupby("x")["relative_movement"].median()
    assert np.allclose(weights.lines[0].get_xydata(), found.reset_index().to_numpy())
    assert len(weights.collections) == 2 and margin.get_yscale() == "linear"
    assert "Median across 3 seeds." in drawing.captions and "Extension, ours." in drawing.captions


def test_every_map_says_what_to_see_in_two_sentences():
    assert tuple(KINDS) == configuration.MAPS
    for kind in KINDS.values():
        assert kind.caption.endswith(".") and ":" not in kind.title
        assert kind.caption.count(". ") <= 2


def test_a_heavy_map_is_pixels_and_its_bytes_depend_on_it_alone(tmp_path):
    rows = mapped(tmp_path)
    for name in ("a.svg", "b.svg"):
        drawing = drawn(rows)
        with style.theme():
            style.save(drawing.figure, tmp_path / name, "t", drawing.captions, drawing.boxes)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert b"<image" in (tmp_path / "a.svg").read_bytes()
    assert json.dumps(drawing.boxes).count("panel-") == 3 and isinstance(drawing.figure, Figure)
