"""Only what changed runs again: real Snakemake runs after one change each."""

import json
import os
import random
import re
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from project import HOSTILE
from test_any_text import check_text
from test_healing import check_healed, contents, harm

BELOW_DATA = {
    "train": 4,
    "sharpness": 1,
    "metrics": 3,
    "claims": 1,
    "figure": 3,
    "report": 1,
    "note": 1,
}


def test_everything_is_there(finished):
    expected = [
        "metrics/trajectories.parquet",
        "metrics/runs.parquet",
        "metrics/neurons.parquet",
        "figures/xor.svg",
        "figures/points.pdf",
        "figures/digits.png",
        "report.html",
        "report.md",
        "report.pdf",
    ]
    for name in expected:
        assert (finished.results / name).stat().st_size > 0


def test_second_run_does_nothing_and_says_so(finished):
    process = finished.run("--cores", "2")
    assert process.returncode == 0 and "Nothing to be done" in process.stdout


def test_comments_docstrings_and_touches_are_no_changes(rerun):
    package = rerun.root / "workflow" / "largestep"
    for path in [*package.rglob("*.py"), *rerun.root.rglob("*.smk"), rerun.root / "Snakefile"]:
        path.write_text(path.read_text() + "\n# a comment\n")
    engine = "workflow/largestep/engine/training.py"
    rerun.edit(engine, '"""Full-batch', '"""A new docstring. Full-batch')
    for path in rerun.root.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path)
    assert rerun.ran() == {}


def test_another_format_is_no_change(rerun):
    package = rerun.root / "workflow" / "largestep"
    before = {path: path.read_text() for path in package.rglob("*.py")}
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--line-length", "60", package]
    subprocess.run(command, check=True)
    assert sum(path.read_text() != text for path, text in before.items()) > len(before) / 2
    assert rerun.ran() == {}


def test_keys_that_nothing_here_uses_are_no_change(rerun, tmp_path):
    """No data set of the configuration reads from the data root, named here or by DATA."""
    rerun.content["data_root"] = "elsewhere"
    rerun.configure()
    assert rerun.ran() == {}
    process = rerun.run("--cores", "2", environment={"DATA": str(tmp_path)})
    assert process.returncode == 0 and "Nothing to be done" in process.stdout


def test_a_title_redraws_its_figure_the_report_and_the_note(rerun):
    rerun.content["experiments"]["xor"]["figure"] = {"title": "Another"}
    rerun.configure()
    assert rerun.ran() == {"figure": 1, "report": 1, "note": 1}


def test_a_claim_is_judged_again_and_nothing_trains(rerun):
    path = rerun.root / "workflow/largestep/claims/rates.py"
    path.write_text(path.read_text() + "\nUNUSED = 1\n")
    assert rerun.ran() == {"claims": 1, "report": 1, "note": 1}


def test_a_panel_redraws_its_figures_and_the_report(rerun):
    path = rerun.root / "workflow/largestep/report/panels/neuron_margins.py"
    path.write_text(path.read_text() + "\nUNUSED = 1\n")
    assert rerun.ran() == {"figure": 1, "report": 1, "note": 1}


def test_the_engine_retrains_everything(rerun):
    path = rerun.root / "workflow/largestep/engine/training.py"
    path.write_text(path.read_text() + "\nUNUSED = 1\n")
    assert rerun.ran("-n") == BELOW_DATA


def test_a_plotting_library_redraws_figures_only(rerun):
    path = rerun.root / "envs" / "constraints.txt"
    path.write_text(re.sub(r"matplotlib==.*", "matplotlib==99.0", path.read_text()))
    counted = rerun.ran("-n")
    assert counted["figure"] == 3 and not {"train", "metrics", "dataset"} & counted.keys()


def test_a_new_stepsize_trains_alone(rerun):
    before = set((rerun.root / "results/store").iterdir())
    rerun.content["experiments"]["xor"]["train"]["eta"] = [1, 5, 20]
    rerun.configure()
    counted = rerun.ran("--until", "metrics")
    assert counted["train"] == 2 and "dataset" not in counted
    assert len(set((rerun.root / "results/store").iterdir()) - before) == 2  # a run per seed


def test_a_removed_stepsize_and_a_new_name_train_nothing(rerun):
    before = set((rerun.root / "results/store").iterdir())
    experiments = rerun.content["experiments"]
    experiments["renamed"] = experiments.pop("xor")
    experiments["renamed"]["train"]["eta"] = [20]
    rerun.configure()
    rerun.ran("--until", "metrics")
    assert set((rerun.root / "results/store").iterdir()) == before


def test_sharpness_is_computed_without_training(rerun):
    digits, before = rerun.content["experiments"]["digits"], rerun.trajectories("digits")
    assert before["sharpness"].notna().sum() == 2 * 8  # steps 0, 1, 2, 3, 6, 10, 18, 30
    digits["sharpness"] = {"top": 2, "tolerance": 1e-9}
    rerun.configure()
    counted = rerun.ran("--until", "metrics")
    assert counted["sharpness"] == 1 and not {"train", "dataset"} & counted.keys()
    after = rerun.trajectories("digits")
    assert 0 < (after["sharpness"] / before["sharpness"] - 1).abs().max() < 1e-2
    assert after.drop(columns="sharpness").equals(before.drop(columns="sharpness"))
    table = pd.read_parquet(rerun.results / "sharpness/digits/seed=0.parquet")
    assert table["rank"].tolist() == [1, 2] * 16
    del digits["sharpness"]
    digits["figure"]["panels"].remove("sharpness")
    rerun.configure()
    assert "train" not in rerun.ran("--until", "metrics")
    assert rerun.trajectories("digits")["sharpness"].isna().all()


def test_a_variant_trains_alone_and_is_drawn_beside_its_base(rerun):
    rerun.content["experiments"]["small"] = {"variant_of": "xor", "model": {"scale": 0.1}}
    words = {"xor": "as it was", "small": "small weights"}
    rerun.content["comparisons"] = {"beside": {"experiments": words, "panels": ["loss"]}}
    rerun.configure()
    counted = rerun.ran("-n")
    last = {"claims": 1, "sensitivity": 1, "report": 1, "note": 1}
    assert counted == {"train": 2, "metrics": 3, "figure": 5} | last
    assert rerun.ran("--until", "figure")["train"] == 2
    assert "small weights" in (rerun.results / "figures/beside.svg").read_text()
    rerun.content["comparisons"]["beside"]["title"] = "Side by side"
    rerun.configure()
    assert rerun.ran("-n") == {"figure": 1} | last


def test_an_atlas_trains_alone_and_is_mapped_without_entries_in_the_store(rerun):
    before = set((rerun.root / "results/store").iterdir())
    atlas = {
        "of": "points",
        "x": {"train.stepsize": {"from": 0.5, "to": 50, "count": 4}},
        "y": {"model.scale": [0.5, 1, 2]},
        "steps": 50,
        "panels": ["final_loss"],
        "ours": HOSTILE,
    }
    rerun.content["experiments"]["points"]["model"]["initial_weights"] = "standard_normal"
    rerun.content["atlases"] = {"map": atlas}
    rerun.configure()
    rerun.ran()
    assert len(set((rerun.root / "results/store").iterdir()) - before) == 1  # of points itself
    rows = pd.read_parquet(rerun.results / "atlas/map.parquet")
    assert len(rows) == 12 and set(rows["steps"]) == {50}
    for report in ("report.html", "report.md"):
        text = (rerun.results / report).read_text()
        assert "Extension, ours" in text and "12 runs in one job" in text
        assert "runs a second" in text
    check_text(rerun)
    rerun.content["experiments"]["points"]["train"]["stepsize"] = [5.0]  # which the axis replaces
    rerun.content["atlases"]["map"]["panels"] = ["final_loss", "normalized_margin"]
    rerun.configure()
    counted = rerun.ran("-n")
    assert counted["train"] == 1 and "atlas" not in counted
    table = rerun.results / "atlas/map.parquet"
    whole = table.read_bytes()
    table.write_bytes(whole[:-1] + b"x")
    assert rerun.ran("results/tiny/atlas/map.parquet") == {"atlas": 1}
    assert table.read_bytes() == whole


def test_several_methods_go_through_the_graph_and_a_new_one_trains_alone(rerun):
    methods = [
        {"stepsize": [1, 3]},
        {"direction": {"name": "sign"}, "stepsize": [0.1]},
        {"policy": {"name": "polyak"}},
    ]
    rerun.content["experiments"] = {
        "several": {
            "dataset": {"source": "xor"},
            "model": {"kind": "two_layer_both", "width": 4, "activation": {"name": "relu"}},
            "train": {
                "methods": methods,
                "seeds": [0, 1],
                "seeds_per_job": 2,
                "steps": 60,
                "record": {"snapshots": 4},
            },
            "geometry": True,
            "figure": {"panels": ["loss_by_evaluations", "evaluations_needed", "final_margins"]},
        }
    }
    rerun.configure()
    counted = rerun.ran()
    assert counted["train"] == counted["geometry"] == 1
    rows = rerun.trajectories("several")
    runs = rows.groupby(["descent", "policy", "stepsize", "seed"], dropna=False)
    assert len(runs) == 8 and runs["norm_l1"].count().min() >= 8
    claims = json.loads((rerun.results / "claims.json").read_text())
    assert any(c["id"] == "steepest-own-norm" and c["applicable"] for c in claims)
    assert "Polyak" in (rerun.results / "figures/several.svg").read_text()

    before = set((rerun.root / "results/store").iterdir())
    methods.append({"policy": {"name": "armijo"}, "stepsize": [1]})
    rerun.configure()
    rerun.ran("--until", "metrics")
    assert len(set((rerun.root / "results/store").iterdir()) - before) == 2
    assert rerun.trajectories("several").query("step == 60").shape[0] == 10


def test_gradient_flow_is_computed_without_training(rerun):
    digits, before = rerun.content["experiments"]["digits"], rerun.trajectories("digits")
    assert before["flow_loss"].notna().all()
    start = before[before["step"] == 0]
    assert np.allclose(start["flow_loss"], start["loss"], rtol=1e-6)  # of a run in float32
    digits["flow"] = {"tolerance": 1e-4}
    rerun.configure()
    counted = rerun.ran("--until", "metrics")
    assert counted["flow"] == 1 and not {"train", "sharpness", "dataset"} & counted.keys()
    after = rerun.trajectories("digits")
    assert 0 < (after["flow_loss"] / before["flow_loss"] - 1).abs().max() < 1e-2
    assert after.drop(columns="flow_loss").equals(before.drop(columns="flow_loss"))
    table = pd.read_parquet(rerun.results / "flow/digits/seed=0.parquet")
    assert set(table["time"]) == set(after["stepsize"] * after["step"])
    del digits["flow"]
    digits["figure"]["panels"].remove("flow")
    rerun.configure()
    assert not {"train", "sharpness"} & rerun.ran("-n", "--until", "metrics").keys()


def test_a_new_seed_trains_alone(rerun):
    rerun.content["experiments"]["xor"]["train"]["seeds"] = [0, 1, 2]
    rerun.configure()
    assert rerun.ran("-n")["train"] == 1


def test_more_steps_continue_and_equal_a_run_of_that_length(rerun, project):
    for one in (rerun, project):
        one.content["experiments"] = {"xor": one.content["experiments"]["xor"]}
        one.content["experiments"]["xor"]["train"]["steps"] = 300
        one.configure()
        one.ran("--until", "claims")
    longer = project.tables()
    assert longer == {table: digest for table, digest in rerun.tables().items() if table in longer}


@pytest.mark.slow
def test_cores_do_not_change_a_byte(finished, project):
    process = project.run("--cores", "1", "--until", "claims")
    assert process.returncode == 0
    assert project.tables() == finished.tables()


def test_a_lost_upstream_file_is_made_again_though_later_ones_exist(rerun):
    (rerun.results / "runs/xor/seed=1.parquet").unlink()
    counted = rerun.ran()
    assert counted["train"] == 1
    assert rerun.ran("-n") == {}


def test_a_failed_upstream_job_is_not_forgotten(rerun):
    store = rerun.root / "results" / "store"
    store.rename(rerun.root / "aside")
    store.write_text("not a folder")  # so that training fails
    rerun.content["experiments"]["xor"]["train"]["eta"] = [1, 2, 20]
    rerun.configure()
    for _ in range(2):
        process = rerun.run("--cores", "2")
        assert process.returncode != 0 and "Not a directory" in process.stdout
    store.unlink()
    (rerun.root / "aside").rename(store)
    assert rerun.ran("-n")["train"] == 2


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("metrics/runs.parquet", "is not the file"),
        ("runs/xor/seed=0.parquet", "is not the file"),
        ("logs/train/xor/seed=0.log", "is no record"),
    ],
)
def test_verify_notices_a_changed_file(rerun, table, said):
    command = [sys.executable, "-m", "largestep.stages.verify"]
    options = {"cwd": rerun.root, "env": rerun.environment, "capture_output": True, "text": True}
    assert subprocess.run(command, **options).returncode == 0
    path = rerun.results / table
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    process = subprocess.run(command, **options)
    assert process.returncode == 1 and f"results/tiny/{table}: {said}" in process.stderr


def test_hostile_text_in_a_figures_words_goes_through_a_run(finished):
    check_text(finished)


def test_damage_found_at_the_start_is_made_again_by_that_run(rerun, monkeypatch):
    monkeypatch.chdir(rerun.root)
    before, rng = contents(rerun), random.Random(0)
    harm(rerun.results / "claims.json", rng, "flip")
    harm(rerun.results / "logs/figure/xor.log", rng, "flip")
    harm(rerun.results / "report.md", rng, "cut")
    harm(rerun.results / "benchmarks/train/digits/seed=0.tsv", rng, "cut")
    os.utime(rerun.results / "figures/points.svg")  # not damage
    later = time.time() + 1e8
    os.utime(rerun.results / "metrics/runs.parquet", (later, later))  # nor is a wrong clock
    dry = rerun.run("-n").stdout
    said = ("claims.json: is damaged", "report.md: is damaged", "xor.log: is damaged or missing")
    assert dry.count("it is made again") == 2 and all(line in dry for line in said)
    check_healed(rerun, before)


def test_damage_found_by_a_stage_is_made_again_before_it_reads(rerun, monkeypatch):
    """Neither size nor time tells of it: the run's start cannot see it. Its own input is bad too"""
    monkeypatch.chdir(rerun.root)
    before = contents(rerun)
    for name in ("metrics/runs.parquet", "runs/digits/seed=0.runs.parquet"):
        path = rerun.results / name
        was = path.stat()
        harm(path, random.Random(1), "flip")
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    (rerun.results / "report.html").unlink()
    process = rerun.run("--cores", "2")
    assert process.returncode == 0, process.stdout
    assert process.stdout.count("is damaged; it is made again") == 2
    assert contents(rerun) == before
    assert rerun.ran() == {}
