"""An estimate is of the right size, and knows what the store holds already."""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from obvious import constant, logistic_problem
from project import TINY

from largestep.configuration import reading
from largestep.configuration.experiment import Experiment, Sharpness
from largestep.engine import training
from largestep.engine.hessian import hessian_at
from largestep.engine.record import Watch
from largestep.engine.sharpness import top_eigenvalues
from largestep.graph import estimate
from largestep.graph.dag import Graph
from largestep.graph.estimate import START, Forecast, forecast, seconds_per_step, wall_time
from largestep.graph.resources import Shape
from largestep.results.store import Store
from largestep.stages import estimate as stage
from largestep.stages import train as train_stage

LEAKY = {"name": "leaky_softplus", "c": 0.5}
XOR = {
    "dataset": {"source": "xor"},
    "model": {"kind": "two_layer", "width": 4, "activation": LEAKY},
    "train": {"eta": [1, 20], "seeds": [0, 1, 2], "seeds_per_job": 2, "steps": 200},
}
DIGITS = TINY["experiments"]["digits"]


def graph(**experiments: dict) -> Graph:
    content = {"name": "tiny", "device": "cpu", "experiments": experiments}
    return Graph(reading.parse(content, "tiny.yaml"), "tiny.yaml")


def shape(content: dict) -> Shape:
    found = Experiment.model_validate(content)
    return Shape.of(found, found.dataset.shape(Path()), 1, "cpu", 1)


def margin(n: int, d: int, width: int, **train) -> dict:
    return {
        "dataset": {"source": "margin", "n": n, "d": d, "gamma": 0.05},
        "model": {"kind": "two_layer", "width": width, "activation": LEAKY},
        "train": {"eta": [1, 2], "seeds": [0], "steps": 100} | train,
    }


@pytest.mark.parametrize(
    "content",
    [XOR, margin(500, 400, 10), margin(900, 90, 10), DIGITS],
    ids=["loop", "gram", "direct", "mlp"],
)
def test_a_step_takes_about_as_long_as_in_training(content):
    found, experiment = shape(content), Experiment.model_validate(content)
    loaded = experiment.dataset.load(Path())
    dtype = getattr(torch, experiment.train.dtype)
    X, y = (torch.as_tensor(array, dtype=dtype) for array in (loaded.X, loaded.y))
    head = experiment.model.head
    head = None if head is None else torch.as_tensor(head, dtype=dtype)
    problem = logistic_problem(X, y, experiment.model.activation, head)
    weights = [
        torch.as_tensor(layer, dtype=dtype).repeat(found.runs, 1, 1)
        for layer in experiment.model.initial_layers(found.d, 0)
    ]
    stepsizes = torch.tensor(experiment.stepsizes, dtype=torch.float64)
    watch = Watch(torch.full_like(stepsizes, torch.nan), 0.0, experiment.model.order)
    # The compiled loops are so fast that recording would take most of a short run.
    steps = 20_000 if content in (XOR, DIGITS) else 300

    def train(count: int) -> float:
        begun = time.perf_counter()
        training.train(problem, weights, constant(stepsizes), count, watch)
        return time.perf_counter() - begun

    train(1)
    measured = min(train(steps) for _ in range(3)) / steps / found.runs
    estimated = min(seconds_per_step(found, 0.05) for _ in range(3))
    # Recording is dense in so short a run, and the machine may be busy with other things.
    assert measured / 20 < estimated < 10 * measured


def test_no_gram_matrix_is_made_for_a_timing(monkeypatch):
    monkeypatch.setattr("largestep.engine.problem.gram", lambda X: pytest.fail("a Gram matrix"))
    assert seconds_per_step(shape(margin(500, 400, 10)), 0.01) > 0


def test_large_problems_take_one_run_for_all():
    large = shape(margin(2000, 1001, 10, eta=[1, 2, 3, 4]))
    both = (replace(large, runs=1), large)
    one, all_ = (min(seconds_per_step(each, 0.05) for _ in range(3)) for each in both)
    assert one / 5 < all_ < 5 * one


def test_sharpness_takes_about_as_long_as_that_of_initial_weights():
    experiment, asked = Experiment.model_validate(DIGITS), Sharpness()
    loaded = experiment.dataset.load(Path())
    X, y = (torch.as_tensor(array, dtype=torch.float64) for array in (loaded.X, loaded.y))
    problem = logistic_problem(X, y, experiment.model.activation)
    arrays = experiment.model.initial_layers(X.shape[1], 0)
    layers = [torch.as_tensor(array, dtype=torch.float64) for array in arrays]

    def whole() -> float:
        begun = time.perf_counter()
        top_eigenvalues(hessian_at(problem, layers), asked.top, asked.tolerance, asked.products)
        return time.perf_counter() - begun

    measured = min(whole() for _ in range(3))
    estimated = min(estimate.seconds_per_snapshot(shape(DIGITS), asked) for _ in range(3))
    assert measured / 20 < estimated < 10 * measured


def test_sharpness_is_timed_in_the_span_of_the_samples(monkeypatch):
    found, seen = shape(margin(20, 400, 10)), []

    def noted(problem, layers):
        seen.append(hessian_at(problem, layers))
        return seen[-1]

    monkeypatch.setattr(estimate, "hessian_at", noted)
    estimate.seconds_per_snapshot(found, Sharpness())
    assert {hessian.size for hessian in seen} == {10 * 20} == {found.condensed.weights}


seconds = st.lists(st.floats(0, 1e6), max_size=9)


@given(seconds, seconds, st.integers(1, 8), st.integers(1, 4))
def test_jobs_share_the_machine(cpu, cuda, cores, gpus):
    one = Forecast("a", 1, 0, 1, None, tuple(cpu), (), (), cuda=False)
    other = replace(one, training=tuple(cuda), cuda=True)
    total = wall_time([one, other], "training", cores, gpus)
    both = [*cpu, *cuda]
    assert max(both, default=0) <= total <= sum(both) + 1e-6
    assert total >= max(sum(cpu) / cores, sum(cuda) / gpus) - 1e-6
    assert wall_time([one], "training", 1, gpus) == pytest.approx(sum(cpu))
    assert wall_time([one, other], "sharpness", cores, gpus) == 0


def test_what_the_store_holds_is_not_trained_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimate, "BUDGET", 0.05)
    store, threads = Store(Path("results/store")), torch.get_num_threads()
    fresh, digits = forecast(graph(xor=XOR, digits=DIGITS), store)
    assert (fresh.runs, fresh.stored, fresh.steps) == (6, 0, 200)
    assert len(fresh.training) == 2 and min(fresh.training) > START
    assert fresh.training[0] - START == pytest.approx(4 * 200 * fresh.step)
    assert not fresh.sharpness and len(digits.sharpness) == 1
    assert not fresh.flow and len(digits.flow) == 1

    train(graph(xor=XOR), "0-1")
    begun, _ = forecast(graph(xor=XOR, digits=DIGITS), store)
    assert (begun.runs, begun.stored, len(begun.training)) == (6, 4, 1)

    train(graph(xor=XOR), "2")
    (done,) = forecast(graph(xor=XOR), store)
    assert (done.stored, done.step, done.training) == (6, None, ())

    # More steps, of which the store holds the first.
    longer = XOR | {"train": XOR["train"] | {"steps": 500}}
    (more,) = forecast(graph(xor=longer), store)
    assert more.stored == 0
    assert [job - START for job in more.training] == pytest.approx(
        [4 * 300 * more.step, 2 * 300 * more.step]
    )

    # Data that are damaged will be made again; until then nothing is known to be stored.
    data = Path("results/data/xor.safetensors")
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    assert forecast(graph(xor=XOR), store)[0].stored == 0
    torch.set_num_threads(threads)


def train(of: Graph, job: str) -> None:
    """What the dataset and train rules do."""
    experiment = of.config.experiments["xor"]
    data = Path("results/data/xor.safetensors")
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_bytes(experiment.dataset.load(Path()).to_bytes())
    outputs = {name: Path(name) for name in ("rows", "runs", "neurons", "snapshots")}
    given = {
        "experiment": "xor",
        "spec": reading.to_json(experiment),
        "seeds": experiment.train.jobs[job],
        "device": "cpu",
        "threads": 1,
        "data": data,
        "store": Path("results/store"),
        "log": None,
    }
    train_stage.run(argparse.Namespace(**given, **outputs))


def test_table_and_summary_say_what_is_expected():
    row = Forecast("fig1", 6, 2, 25_000, 0.00123, (3600.0, 3720.0), (60.0,), (80.0,), cuda=False)
    done = Forecast("fig4", 1, 1, 100, None, (), (), (), cuda=False)
    _, first, second = stage.table([row, done]).splitlines()
    assert " ".join(first.split()) == "fig1 6 2 25,000 1.2 ms 2 h 02 min 1 min 00 s 1 min 20 s"
    assert second.split() == ["fig4", "1", "1", "100", "-", "-", "-", "-"]
    assert stage.summary(3660, 60, 0, "2 cores") == (
        "Estimate: about 1 h 01 min of training, about 1 min 00 s of sharpness on 2 cores, "
        "beside downloads and figures"
    )
    assert stage.summary(0, 0, 20, "2 cores") == (
        "Estimate: up to 20 s of gradient flow on 2 cores, beside downloads and figures"
    )
    assert stage.summary(0, 0, 0, "2 cores") == "Estimate: nothing is left to train"


def test_data_sets_need_not_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimate, "BUDGET", 0.05)
    classes = ["airplane", "automobile"]
    images = {"source": "cifar10", "classes": classes, "n": 20, "preprocessing": ["center"]}
    (found,) = forecast(graph(images=XOR | {"dataset": images}), Store(tmp_path / "store"))
    assert np.isfinite(found.training).all() and not list(tmp_path.iterdir())


def test_training_that_sharpness_waits_for_and_large_figures_come_first():
    panels = {"panels": ["loss", "scaled_loss", "normalized_margin"]}
    base = XOR | {"train": XOR["train"] | {"record": {"snapshots": 8}}}
    found = graph(alone=base, waited=base | {"sharpness": {}, "figure": panels})
    urgency = {
        name: found.requests.urgency(SimpleNamespace(experiment=name, job="0-1"))
        for name in found.config.experiments
    }
    assert urgency["waited"] == 2 * urgency["alone"]
    assert found.figure_urgency(SimpleNamespace(figure="waited")) == 3
