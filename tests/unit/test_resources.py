"""What jobs ask for: enough for real jobs and not far too much, growing with the grid."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from largestep.configuration import reading
from largestep.configuration.experiment import Experiment
from largestep.graph import dag, resources
from largestep.graph.resources import Shape

ROOT = Path(__file__).parents[2]
LEAKY = {"name": "leaky_softplus", "c": 0.5}
EDGE = {"name": "edge_of_stability"}


def experiment(dataset: dict, model: dict, **train) -> Experiment:
    return Experiment.model_validate({"dataset": dataset, "model": model, "train": train})


def margin(n: int, d: int) -> dict:
    return {"source": "margin", "n": n, "d": d, "gamma": 0.05}


def two_layer(width: int) -> dict:
    return {"kind": "two_layer", "width": width, "activation": LEAKY}


def gated(*widths: int) -> dict:
    return {"kind": "gated", "widths": widths}


def mlp(*widths: int) -> dict:
    return {"kind": "mlp", "widths": widths, "activation": {"name": "gelu"}}


def shape(found: Experiment, seeds: int = 1, device: str = "cpu", threads: int = 1) -> Shape:
    return Shape.of(found, found.dataset.shape(ROOT), seeds, device, threads)


sizes = st.integers(1, 300)


@given(sizes, sizes, sizes, sizes, sizes, st.booleans(), st.sampled_from(["n", "m", "R", "T"]))
def test_a_larger_grid_never_asks_for_less(n, d, m, runs, steps, deep, grown):
    def grid(scale: dict) -> Shape:
        width = 2 * m * scale.get("m", 1)
        return shape(
            experiment(
                margin(2 * n * scale.get("n", 1), d + 1),
                mlp(width, m) if deep else two_layer(width),
                stepsize=[float(k + 1) for k in range(runs * scale.get("R", 1))],
                seeds=[0],
                steps=steps * scale.get("T", 1),
            )
        )

    one, more = grid({}), grid({grown: 3})
    # Beyond n = 2d the Gram matrix is not used any more, and its memory is saved.
    if one.gram == more.gram:
        assert resources.memory(more) >= resources.memory(one)
        assert resources.minutes(more) >= resources.minutes(one)
    assert resources.memory(one, attempt=2) > resources.memory(one)
    assert resources.minutes(one) <= resources.minutes(one, attempt=3) <= resources.LONGEST


@pytest.mark.parametrize(
    "found",
    [
        experiment({"source": "xor"}, two_layer(20), eta=[1, 5], seeds=[0], steps=2000),
        experiment(margin(1500, 1500), two_layer(60), eta=[1, 5], seeds=[0], steps=5),
        experiment(margin(3000, 1600), mlp(900, 100), stepsize=[1, 5], seeds=[0], steps=3),
        experiment(margin(20_000, 60), two_layer(200), eta=[1, 5, 9], seeds=[0], steps=3),
        experiment(margin(20_000, 60), mlp(100, 100), stepsize=[1, 5], seeds=[0], steps=3),
        experiment(margin(20_000, 60), gated(50, 50), policy=EDGE, seeds=[0], steps=3),
    ],
    ids=["xor", "gram", "mlp by gram", "direct", "mlp", "gated at the edge of stability"],
)
def test_real_jobs_fit_into_what_they_ask_for(tmp_path, found):
    data = tmp_path / "data.safetensors"
    dataset = ["--spec", reading.to_json(found.dataset), "--root", ROOT, "--out", data]
    measured("dataset", *dataset, "--facts", tmp_path / "data.json")
    train = ["--experiment", "a", "--spec", reading.to_json(found), "--seeds", 0, "--device", "cpu"]
    tables = [f"--{name}={tmp_path / name}" for name in ("rows", "runs", "neurons", "snapshots")]
    seconds, peak = measured(
        "train", *train, "--data", data, "--store", tmp_path / "store", *tables
    )
    asked = resources.memory(shape(found))
    assert 1.1 * (peak + 2 * 105) < asked < 5 * peak
    assert seconds < 60 * resources.minutes(shape(found))


def measured(stage: str, *arguments: object) -> tuple[float, float]:
    """Processor time in seconds and peak memory in MiB of a stage's process.

    The kernel's own peak of a process counts the memory of the one that it was forked from, here
    pytest's; VmHWM begins anew with the program.
    """
    code = r"""
import re, runpy, sys, time
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
peak = re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]
print(time.process_time(), int(peak) / 1024)
"""
    process = subprocess.run(
        [sys.executable, "-c", code, f"largestep.stages.{stage}", *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, peak = map(float, process.stdout.split()[-2:])
    return seconds, peak


def test_a_policy_at_the_edge_of_stability_asks_for_more_with_every_product():
    def asked(**numbers) -> Shape:
        policy = EDGE | numbers
        return shape(
            experiment(margin(900, 90), mlp(30, 30), policy=policy, seeds=[0], steps=10**5)
        )

    plain = shape(experiment(margin(900, 90), mlp(30, 30), stepsize=[1], seeds=[0], steps=10**5))
    grids = [plain, asked(products=1), asked(products=8), asked(products=64)]
    for ask in (resources.memory, resources.minutes, resources.work):
        found = [ask(grid) for grid in grids]
        assert found == sorted(found) and found[0] < found[-1]


def test_small_jobs_share_a_submission_and_others_do_not():
    xor = experiment({"source": "xor"}, two_layer(20), eta=[1, 5], seeds=[0], steps=10_000)
    images = {"source": "cifar10", "classes": ["airplane", "automobile"], "n": 6000}
    large = experiment(images, two_layer(40), eta=[25, 100], seeds=[0], steps=10_000)
    assert resources.small(shape(xor))
    assert not resources.small(shape(large))
    assert not resources.small(shape(xor, threads=4))
    assert not resources.small(shape(xor, device="cuda"))
    assert not resources.small(shape(xor, seeds=5000))


def test_gpus_follow_the_device():
    xor = experiment({"source": "xor"}, two_layer(20), eta=[1], seeds=[0], steps=10)
    assert resources.gpus(shape(xor, device="cuda")) == 1
    assert resources.gpus(shape(xor, device="cpu")) == 0


def test_the_profiles_agree_where_they_should():
    default, slurm = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())
        for name in ("default", "slurm")
    )
    del default["cores"], default["resources"]
    assert default.items() <= slurm.items()


def test_files_of_many_seeds_have_short_and_different_names():
    seeds = [17 * k * k + 10**15 for k in range(1000)]
    train = {"eta": [1], "seeds": seeds, "seeds_per_job": 100, "steps": 1}
    jobs = experiment({"source": "xor"}, two_layer(2), **train).train.jobs
    assert len(jobs) == 10 and max(map(len, jobs)) < 100
    assert [seed for group in jobs.values() for seed in group] == seeds


def test_a_progress_bar_weighs_jobs_like_the_demo_took(monkeypatch):
    """Seconds of the demo's train jobs, alone on two cores: within a factor of two."""
    measured = {
        "fig1_digits": 18,
        "fig2_digits": 14,
        "theory": 7.4,
        "theory_horizon": 8.4,
        "fig4": 6,
    }
    monkeypatch.chdir(Path(__file__).parents[2])
    graph = dag.load({}, [])
    for name, seconds in measured.items():
        experiment = graph.config.experiments[name]
        samples = experiment.dataset.shape(graph.data_root)
        shape = Shape.of(experiment, samples, 1, "cpu", 1)
        assert 0.5 < resources.work(shape) / seconds < 2, name
