"""Gradient flow against an exact solution, and against slow and obvious Runge-Kutta steps."""

import contextlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from obvious import (
    ACTIVATIONS,
    LEAKY_SOFTPLUS,
    LOGISTIC,
    descend,
    loss_and_gradient,
    random_data,
    xor,
)
from scipy.special import wrightomega

from largestep.configuration.experiment import Experiment
from largestep.engine import gradient_flow
from largestep.engine.problem import Problem
from largestep.method.activations import HuberizedReLU
from largestep.method.models import MLP, Gated, TwoLayer
from largestep.results import flow_rows, tables
from largestep.results.checkpoint import Checkpoint

TWO_LAYER = TwoLayer(kind="two_layer", width=6, activation=LEAKY_SOFTPLUS)
DEEP = MLP(kind="mlp", widths=(5, 4), activation=ACTIVATIONS[2])
SETTINGS = {
    "two-layer": (TWO_LAYER, xor()),
    "two-layer, n < 2d": (TWO_LAYER, random_data(5, 9)),
    "mlp": (DEEP, random_data(12, 4)),
    "gated": (Gated(widths=(5, 4)), random_data(12, 4)),
}


def initial(model, X, seed=0) -> list[torch.Tensor]:
    return [torch.as_tensor(layer) for layer in model.initial_layers(X.shape[1], seed)]


def flat(layers) -> np.ndarray:
    return torch.cat([torch.as_tensor(layer).ravel() for layer in layers]).numpy()


def obvious_problem(model, X, y):
    return Problem.of(model, LOGISTIC, X, y)


def obvious_flow(problem, layers, time, steps) -> list[torch.Tensor]:
    """The classical Runge-Kutta method with equal steps, by autograd."""
    h = time / steps

    def pull(at, along, by):
        moved = [w - by * g for w, g in zip(at, along, strict=True)]
        return loss_and_gradient(problem, moved)[2]

    for _ in range(steps):
        k1 = loss_and_gradient(problem, layers)[2]
        k2 = pull(layers, k1, h / 2)
        k3 = pull(layers, k2, h / 2)
        k4 = pull(layers, k3, h)
        slopes = [(a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
        layers = [w - h * slope for w, slope in zip(layers, slopes, strict=True)]
    return layers


@pytest.mark.parametrize(("model", "data"), SETTINGS.values(), ids=SETTINGS)
def test_the_gradient_is_that_of_the_obvious_loss_anywhere(model, data):
    problem, layers = obvious_problem(model, *data), initial(model, data[0])
    landscape = gradient_flow.Landscape(model, LOGISTIC, *data, layers)
    for scale in (1, -3, 0.1):  # not only at the weights that it was made with
        moved = [scale * layer for layer in layers]
        f, loss, gradients = loss_and_gradient(problem, moved)
        np.testing.assert_allclose(landscape.gradient(flat(moved)), flat(gradients), atol=1e-14)
        found = landscape.measure(flat(moved))
        assert found["loss"] == pytest.approx(loss, rel=1e-12)
        assert found["margin"] == pytest.approx((data[1] * f).min().item(), rel=1e-12)


@pytest.mark.parametrize(("model", "data"), SETTINGS.values(), ids=SETTINGS)
def test_weights_are_those_of_obvious_runge_kutta(model, data):
    problem, layers = obvious_problem(model, *data), initial(model, data[0])
    landscape = gradient_flow.Landscape(model, LOGISTIC, *data, layers)
    times = (0.0, 10.0, 100.0)
    path = gradient_flow.follow(landscape, flat(layers), times, 1e-10, 10**5)
    for (found, _), time in zip(path, times, strict=True):
        expected = flat(obvious_flow(problem, layers, time, 400))
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-8)
    assert np.abs(expected - flat(layers)).max() > 0.1


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9, 1e-12])
def test_the_tolerance_is_kept_where_the_solution_is_known(tolerance):
    """Two neurons at weights so large that they are linear: with one sample, q = y f moves by
    dq/dt = 1 / (2 (1 + e^q)), so q + e^q = 1 + t/2 and e^q is Wright's omega of the right side."""
    model = TwoLayer(
        kind="two_layer",
        width=2,
        initial_weights=((12.0,), (12.0,)),
        activation=HuberizedReLU(name="huberized_relu"),
    )
    X = y = torch.ones(1, dtype=torch.float64)
    layers, times = initial(model, X[None]), np.concatenate([[0], np.logspace(-3, 4, 50)])
    landscape = gradient_flow.Landscape(model, LOGISTIC, X[None], y, layers)
    path = list(gradient_flow.follow(landscape, flat(layers), times, tolerance, 10**5))
    losses = np.array([landscape.measure(w)["loss"] for w, _ in path])
    exact = np.log1p(1 / wrightomega(1 + times / 2))
    assert np.abs(np.log(losses / exact)).max() < 100 * tolerance


def test_a_spent_budget_ends_the_flow_where_it_is():
    model, data = SETTINGS["mlp"]
    layers, times = initial(model, data[0]), np.linspace(0, 300, 40)
    landscape = gradient_flow.Landscape(model, LOGISTIC, *data, layers)
    whole = list(gradient_flow.follow(landscape, flat(layers), times, 1e-9, 10**6))
    part = list(gradient_flow.follow(landscape, flat(layers), times, 1e-9, 200))
    assert len(whole) == 40 and 1 < len(part) < 40
    for (w, count), (same, same_count) in zip(whole, part, strict=False):
        assert w.tobytes() == same.tobytes() and count == same_count
    assert part[-1][1] < 200 + 4 * 6  # the last step, and the attempts that it took


XOR = {
    "dataset": {"source": "xor"},
    "model": {"kind": "two_layer", "width": 4, "activation": LEAKY_SOFTPLUS.model_dump()},
    "train": {"eta": [0.5, 0.25, 0.1], "seeds": [3, 5], "steps": 60},
    "flow": {},
}


def along(experiment, seeds, checkpoint, progress=lambda count: None):
    X, y = xor()
    device = torch.device("cpu")
    return flow_rows.along(experiment, X.numpy(), y.numpy(), seeds, device, checkpoint, progress)


def test_table_of_a_job(tmp_path):
    experiment = Experiment.model_validate(XOR)
    (X, y), heard = xor(), []
    found = along(experiment, (3, 5), Checkpoint(tmp_path / "out"), heard.append)
    assert {*found} | {"experiment"} == {*tables.FLOW.names}
    assert heard == sorted(heard) and heard[-1] > found["evaluations"].max()
    for seed, rows in found.groupby("seed"):
        times = rows["time"].to_numpy()
        assert {step * h for step in (1, 2, 3, 60) for h in experiment.stepsizes} < {*times}
        assert (np.diff(times) > 0).all() and (rows["loss"].diff().dropna() < 0).all()
        (start,) = experiment.model.initial_layers(2, seed)
        (end,) = obvious_flow(
            obvious_problem(experiment.model, X, y), [torch.as_tensor(start)], times[-1], 500
        )
        last = rows.iloc[-1]
        assert last["param_norm"] == pytest.approx(end.norm().item(), rel=1e-6)
        assert last["normalized_margin"] == pytest.approx(last["margin"] / end.norm().item())
        assert rows["param_norm"].iloc[0] == np.linalg.norm(start)


@settings(max_examples=5)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.sampled_from([0, 100, 20_000]))
def test_a_killed_job_goes_on_bit_for_bit(tmp_path_factory, moments, budget):
    """Killed when it has heard of so many rows, again and again, also beyond a spent budget."""
    experiment = Experiment.model_validate(XOR | {"flow": {"evaluations": budget or 150}})
    folder = tmp_path_factory.mktemp("flow")
    whole = along(experiment, (3, 5), Checkpoint(folder / "whole"))
    for moment in moments:
        left = iter(range(moment))

        def killed(count, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt

        with contextlib.suppress(KeyboardInterrupt):
            along(experiment, (3, 5), Checkpoint(folder / "part", interval=0), killed)
    assert along(experiment, (3, 5), Checkpoint(folder / "part")).equals(whole)


def test_gradient_descent_follows_it_in_proportion_to_its_stepsize(tmp_path):
    experiment = Experiment.model_validate(XOR)
    X, y = xor()
    rows = along(experiment, (3,), Checkpoint(tmp_path / "out"))
    limit = rows.set_index("time")["loss"]
    layers = initial(experiment.model, X, 3)
    distances = []
    for h, steps in ((2.0, 12), (1.0, 24), (0.4, 60)):  # to time 24
        history, _ = descend(obvious_problem(experiment.model, X, y), layers, h, steps)
        losses = np.array([state["loss"] for state in history])
        common = [step for step in range(steps + 1) if h * step in limit.index]
        assert common[-1] == steps
        reference = limit[[h * step for step in common]]
        distances.append(np.abs(np.log(losses[common] / reference)).max())
    assert distances[0] / distances[1] == pytest.approx(2, rel=0.05)
    assert distances[1] / distances[2] == pytest.approx(2.5, rel=0.05)


def test_equal_inputs_give_equal_bits(tmp_path):
    experiment = Experiment.model_validate(XOR)

    def found():
        return along(experiment, (3,), Checkpoint(tmp_path / "out"))

    assert found().equals(found())
