"""Stepsizes at the edge of stability: the eigenvalue that they follow, and what it costs."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from obvious import random_data

from largestep.configuration.experiment import Experiment
from largestep.engine import stepping
from largestep.engine.descent import Descent
from largestep.engine.hessian import hessian_at
from largestep.engine.lanczos import largest_ritz, random_start
from largestep.engine.layouts import arrange
from largestep.engine.problem import SCALARS, Problem
from largestep.engine.record import Watch
from largestep.engine.training import COLUMNS, train
from largestep.method.activations import LeakySoftplus
from largestep.method.directions.gradient import Gradient
from largestep.method.losses.logistic import Logistic
from largestep.method.models import MLP, Gated, TwoLayer
from largestep.method.point import Point
from largestep.method.policies.edge_of_stability import EdgeOfStability

MODELS = {
    "two_layer": TwoLayer(width=20, activation=LeakySoftplus()),
    "mlp": MLP(widths=[8, 6], activation=LeakySoftplus()),
    "gated": Gated(widths=[8, 6]),
}


def setting(model, n=30, d=9, dtype=torch.float64):
    X, y = random_data(n, d, dtype=dtype)
    layers = [torch.as_tensor(w, dtype=dtype)[None] for w in MODELS[model].initial_layers(d, 0)]
    return Problem.of(MODELS[model], Logistic(), X, y), layers


def descent(**numbers):
    return Descent(Gradient(), [EdgeOfStability(**numbers)])


def advance(layout, count):
    series = torch.zeros(count + 1, len(SCALARS), 1, dtype=torch.float64)
    layout.measure(series[0])
    layout.advance(series)


# The eigenvalue


def symmetric(eigenvalues):
    size = len(eigenvalues)
    rng = np.random.default_rng(size)
    Q, _ = np.linalg.qr(rng.standard_normal((size, size)))
    return torch.as_tensor(Q * np.array(eigenvalues) @ Q.T)


spectra = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


@given(spectra, st.integers(1, 14))
def test_a_ritz_value_is_never_above_and_exact_in_the_whole_space(eigenvalues, products):
    """Also where the map has few different eigenvalues, and a Krylov space closes early."""
    H = symmetric(eigenvalues)
    value, vector, taken = largest_ritz(lambda v: H @ v, random_start(len(H)), products)
    assert taken == min(products, len(H))
    assert value <= max(eigenvalues) + 1e-12
    torch.testing.assert_close(vector @ vector, torch.tensor(1.0).double())
    torch.testing.assert_close(vector @ H @ vector, value, rtol=1e-12, atol=1e-12)
    if products >= len(H):
        assert value == pytest.approx(max(eigenvalues), abs=1e-12)


def test_a_start_that_is_an_eigenvector_hides_no_other():
    H = torch.diag(torch.tensor([1.0, 2, 3, 4])).double()
    value, *_ = largest_ritz(lambda v: H @ v, torch.eye(4).double()[0], 4)
    assert value == pytest.approx(4, abs=1e-12)


def test_products_that_overflow_give_nan_and_keep_the_start():
    start = random_start(5)
    value, vector, _ = largest_ritz(lambda v: v * torch.inf, start, 3)
    assert value.isnan() and torch.equal(vector, start)


# The stepsizes


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("model", MODELS)
def test_the_sharpness_is_followed_from_below(model, dtype):
    """Never above lambda_max; within a twentieth of it once the vector has been found."""
    problem, weights = setting(model, dtype=dtype)
    layout = arrange(problem, weights, descent(c=0.5, products=4))
    assert sum(w.numel() for w in weights) > 100
    shares = []
    for _ in range(40):
        layers = [layer[0].double() for layer in layout.layers()]
        largest = torch.linalg.eigvalsh(hessian_at(problem.double(), layers).matrix())[-1]
        advance(layout, 1)
        eta = layout.pace(1)["last_stepsize"]
        shares.append((2 * 0.5 / eta / largest).item())
    assert max(shares) <= 1 + 1e-9
    assert min(shares[10:]) > 0.95


@pytest.mark.parametrize("model", MODELS)
def test_products_are_counted(model, monkeypatch):
    counted = []

    def counting(problem, layers):
        hessian = hessian_at(problem, layers)
        product = hessian.product
        hessian.product = lambda v: counted.append(1) or product(v)
        return hessian

    monkeypatch.setattr(stepping, "hessian_at", counting)
    layout = arrange(*setting(model), descent(products=5))
    advance(layout, 7)
    assert layout.pace(7)["evaluations"].tolist() == [7 + 1 + len(counted)]
    assert len(counted) == 7 * 5


def test_what_a_row_looks_at_is_not_counted_and_changes_nothing():
    problem, weights = setting("mlp")
    watch = Watch(torch.tensor([torch.nan]).double(), 0.0, 3)
    found = train(problem, weights, descent(products=5), 300, watch)
    evaluations = found.rows[:, COLUMNS.index("evaluations"), 0].tolist()
    assert evaluations == [t + 1 + 5 * t for t in found.steps]
    layout = arrange(problem, weights, descent(products=5))
    advance(layout, 300)
    assert torch.equal(layout.pace(300)["time"], found.rows[-1, COLUMNS.index("time")])


def test_where_the_sharpness_is_not_positive_the_last_stepsize_is_repeated():
    policy, nothing = EdgeOfStability(c=0.5), torch.zeros(4, dtype=torch.float64)
    state, found = policy.start(nothing), []
    for sharpness in ([-1, 0, torch.nan, 4], [2, 2, 2, -1]):
        point = Point(*[nothing] * 6, sharpness=torch.tensor(sharpness).double())
        found.append(policy.next(point, state).tolist())
    assert found == [[1, 1, 1, 0.25], [0.5, 0.5, 0.5, 0.25]]


def test_a_diverged_run_takes_no_products_and_raises_nothing():
    problem, weights = setting("mlp")
    weights[0][0, 0, 0] = torch.inf
    layout = arrange(problem, weights, descent())
    advance(layout, 3)
    assert layout.pace(3)["evaluations"].tolist() == [4]


def test_its_steps_are_not_captured_as_a_cuda_graph():
    assert descent().reads_back


# The configuration


def test_it_needs_no_stepsize_and_its_grid_is_over_c():
    def described(**words):
        train = {"seeds": [0], "steps": 10, "policy": {"name": "edge_of_stability"}, **words}
        model = {"kind": "gated", "widths": [3]}
        content = {"dataset": {"source": "xor"}, "model": model, "train": train}
        return Experiment.model_validate(content)

    assert described().policies == (EdgeOfStability(),)
    grid = described(grid={"policy.c": [0.5, 1, 2]})
    assert [policy.c for policy in grid.policies] == [0.5, 1, 2]
    labels = [policy.full_label for policy in grid.policies]
    assert labels[0] == "edge of stability (c = 0.5, products = 8)" and len(set(labels)) == 3
    with pytest.raises(ValueError, match="edge_of_stability has no stepsize"):
        described(stepsize=[1])
