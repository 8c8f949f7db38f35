"""Hessian eigenvalues against the dense Hessian of an obvious forward pass."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from obvious import (
    ACTIVATIONS,
    LEAKY_SOFTPLUS,
    LOGISTIC,
    descend,
    forward,
    random_data,
    softplus,
    xor,
)

from largestep.configuration.experiment import Experiment
from largestep.engine import sharpness
from largestep.engine.hessian import Condensed, Layered, hessian_at
from largestep.engine.problem import Problem
from largestep.engine.sharpness import top_eigenvalues, with_zeros
from largestep.graph import resources
from largestep.method.models import MLP, Gated, TwoLayer
from largestep.results import sharpness_rows, tables
from largestep.results.checkpoint import Checkpoint


def two_layer(activation, width=6, **options) -> TwoLayer:
    return TwoLayer(kind="two_layer", width=width, activation=activation, **options)


def mlp(activation, *widths) -> MLP:
    return MLP(kind="mlp", widths=widths, activation=activation)


def problem(model, X, y):
    return Problem.of(model, LOGISTIC, X, y)


def initial(model, X, seed=0) -> list[torch.Tensor]:
    return [torch.as_tensor(layer) for layer in model.initial_layers(X.shape[1], seed)]


def dense(model, X, y, layers) -> np.ndarray:
    """The Hessian by torch.func, as a matrix over all weights in order."""
    sizes, setting = [layer.numel() for layer in layers], problem(model, X, y)

    def loss(flat):
        parts = flat.split(sizes)
        own = [part.view_as(layer) for part, layer in zip(parts, layers, strict=True)]
        return softplus(-y * forward(setting, own)).mean()

    return torch.func.hessian(loss)(torch.cat([layer.ravel() for layer in layers])).numpy()


def spectrum(model, X, y, layers) -> np.ndarray:
    return np.linalg.eigvalsh(dense(model, X, y, layers))[::-1]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)
@pytest.mark.parametrize("build", [two_layer, lambda a: mlp(a, 5, 4)], ids=["two-layer", "mlp"])
def test_matrix_and_products_along_a_trajectory(activation, build):
    model, (X, y) = build(activation), random_data(12, 4)
    layers = initial(model, X)
    for steps in (0, 3, 40):
        _, layers = descend(problem(model, X, y), layers, 0.5, steps)
        hessian, expected = hessian_at(problem(model, X, y), layers), dense(model, X, y, layers)
        np.testing.assert_allclose(hessian.matrix(), expected, rtol=1e-12, atol=1e-14)
        v = torch.randn(hessian.size, generator=torch.Generator().manual_seed(1)).double()
        np.testing.assert_allclose(hessian.product(v), expected @ v.numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("widths", [(5,), (5, 4), (4, 3, 2)], ids=str)
def test_matrix_and_products_of_a_gated_network(widths):
    model, (X, y) = Gated(widths=widths), random_data(12, 4)
    layers = initial(model, X)
    for steps in (0, 40):
        _, layers = descend(problem(model, X, y), layers, 1.0, steps)
        hessian, expected = hessian_at(problem(model, X, y), layers), dense(model, X, y, layers)
        np.testing.assert_allclose(hessian.matrix(), expected, rtol=1e-12, atol=1e-14)
        v = torch.randn(3, hessian.size, generator=torch.Generator().manual_seed(1)).double()
        np.testing.assert_allclose(hessian.product(v), v.numpy() @ expected, rtol=1e-11, atol=1e-14)
        assert torch.allclose(hessian.product(v[1]), hessian.product(v)[1], rtol=1e-12, atol=1e-14)
    layers[0][0, 0] = torch.inf
    assert not hessian_at(problem(model, X, y), layers).finite


def test_a_gated_network_by_lanczos():
    model, (X, y) = Gated(widths=(12, 6)), random_data(30, 8)
    layers = initial(model, X)
    found = top_eigenvalues(hessian_at(problem(model, X, y), layers), 3, 1e-10, 10**4)
    np.testing.assert_allclose(found, spectrum(model, X, y, layers)[:3], rtol=1e-8)


@pytest.mark.parametrize("scale", [0, 1, 30])
def test_large_networks_by_lanczos(scale):
    """At a scale of 0 all neurons of a sign coincide and the Hessian is as degenerate as it gets;
    at 30 the loss is large and the Hessian indefinite."""
    model, (X, y) = two_layer(LEAKY_SOFTPLUS, 20), random_data(40, 9)
    layers = [scale * layer for layer in initial(model, X)]
    hessian = hessian_at(problem(model, X, y), layers)
    assert hessian.size > sharpness.WHOLE
    expected = spectrum(model, X, y, layers)
    found = top_eigenvalues(hessian, 1, 1e-9, 10**4)
    np.testing.assert_allclose(found, expected[:1], rtol=1e-9)
    rough = top_eigenvalues(hessian, 1, 1e-3, 10**4)
    np.testing.assert_allclose(rough, expected[:1], rtol=1e-3)


@pytest.mark.parametrize("scale", [10**5, 10**6, 10**8])
def test_late_in_a_run_where_the_loss_has_nearly_or_wholly_gone(scale):
    model, (X, _) = two_layer(LEAKY_SOFTPLUS, 20), random_data(40, 9)
    layers = [scale * layer for layer in initial(model, X)]
    y = forward(problem(model, X, X), layers).sign()
    hessian = hessian_at(problem(model, X, y), layers)
    expected = np.linalg.eigvalsh(hessian.matrix())[-1:]
    assert 0 <= expected < 1e-9
    found = top_eigenvalues(hessian, 1, 1e-9, 10**4)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_several_eigenvalues_by_lanczos():
    model, (X, y) = mlp(ACTIVATIONS[2], 12, 6), random_data(30, 8)
    _, layers = descend(problem(model, X, y), initial(model, X), 0.5, 20)
    found = top_eigenvalues(hessian_at(problem(model, X, y), layers), 5, 1e-10, 10**4)
    np.testing.assert_allclose(found, spectrum(model, X, y, layers)[:5], rtol=1e-8)
    assert (np.diff(found) < 0).all()


def test_the_largest_is_not_the_largest_in_modulus():
    X, y = xor()
    model = two_layer(LEAKY_SOFTPLUS, 80, output_weights=(0.001,) * 80)
    layers, y = initial(model, X), torch.ones_like(y)
    expected = spectrum(model, X, y, layers)
    assert abs(expected[-1]) > expected[0], "else this tests nothing"
    found = top_eigenvalues(hessian_at(problem(model, X, y), layers), 1, 1e-9, 10**4)
    np.testing.assert_allclose(found, expected[:1], rtol=1e-8, atol=1e-14)


def test_tiny_networks_have_no_more_eigenvalues_than_weights():
    X, y = xor()
    model = two_layer(LEAKY_SOFTPLUS, 2)
    layers = initial(model, X)
    found = top_eigenvalues(hessian_at(problem(model, X, y), layers), 6, 1e-3, 50)
    np.testing.assert_allclose(found[:4], spectrum(model, X, y, layers), rtol=1e-10, atol=1e-14)
    assert np.isnan(found[4:]).all()


def test_a_spent_budget_and_infinite_weights_give_null():
    model, (X, y) = two_layer(LEAKY_SOFTPLUS, 20), random_data(40, 9)
    layers, counted = initial(model, X), []

    class Counting(Layered):
        def product(self, v):
            counted.append(1)
            return super().product(v)

    hessian = Counting(problem(model, X, y), layers)
    assert np.isnan(top_eigenvalues(hessian, 4, 1e-14, 50)).all()
    assert 30 < len(counted) <= 50
    layers[0][0, 0] = torch.inf
    assert np.isnan(top_eigenvalues(hessian_at(problem(model, X, y), layers), 4, 1e-3, 50)).all()


def test_equal_inputs_give_equal_bits_whatever_came_before():
    model, (X, y) = two_layer(LEAKY_SOFTPLUS, 20), random_data(40, 9)
    layers = initial(model, X)

    def found():
        return top_eigenvalues(hessian_at(problem(model, X, y), layers), 3, 1e-6, 500)

    first = found()
    np.random.default_rng().standard_normal(9)
    top_eigenvalues(hessian_at(problem(model, X, y), [0 * layer for layer in layers]), 2, 1e-3, 200)
    assert found().tobytes() == first.tobytes()


def test_table_of_a_job_also_of_one_that_was_killed(tmp_path):
    description = {
        "dataset": {"source": "xor"},
        "model": {"kind": "two_layer", "width": 4, "activation": LEAKY_SOFTPLUS.model_dump()},
        "train": {"eta": [1], "seeds": [0], "steps": 9, "record": {"snapshots": 1}},
        "sharpness": {"top": 2},
    }
    experiment = Experiment.model_validate(description)
    X, y = xor()
    layers = np.random.default_rng(0).standard_normal((3, 4, 2))
    runs = pd.DataFrame([dict.fromkeys(tables.RUNS.names) | {"key": "k", "seed": 0}])
    snapshots = {"k.steps": np.array([0, 1, 9]), "k.layer0": layers.astype(np.float32)}
    device = torch.device("cpu")

    def along(checkpoint, progress=lambda done: None):
        given = (X.numpy(), y.numpy(), runs, snapshots, device, checkpoint)
        return sharpness_rows.along(experiment, *given, progress)

    found = along(Checkpoint(tmp_path / "whole"))
    assert found["step"].tolist() == [0, 0, 1, 1, 9, 9]
    assert found["rank"].tolist() == [1, 2] * 3
    for k, (_, part) in enumerate(found.groupby("step")):
        at = [torch.as_tensor(layers[k].astype(np.float32)).double()]
        expected = spectrum(experiment.model, X, y, at)[:2]
        np.testing.assert_allclose(part["eigenvalue"], expected, rtol=1e-10)

    heard = []

    def killed(done):
        heard.append(done)
        if done < 3:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            along(Checkpoint(tmp_path / "part", interval=0), killed)
    assert along(Checkpoint(tmp_path / "part"), killed).equals(found)
    assert heard == [1, 2, 3]


#: Fewer samples than coordinates, and networks on them: tiny ones and one beyond the whole matrix.
FEW, MANY = 6, 30
CONDENSED = [
    two_layer(LEAKY_SOFTPLUS, 4),
    two_layer(LEAKY_SOFTPLUS, 40),
    mlp(ACTIVATIONS[2], 5, 4),
    Gated(widths=(4, 3)),
]


def few_samples(model, steps=20):
    X, y = random_data(FEW, MANY)
    return X, y, descend(problem(model, X, y), initial(model, X), 1.0, steps)[1]


@pytest.mark.parametrize("model", CONDENSED, ids=lambda m: m.label)
def test_eigenvalues_in_the_span_of_few_samples(model):
    X, y, layers = few_samples(model)
    expected = spectrum(model, X, y, layers)
    hessian, zeros = Condensed.of(problem(model, X, y)).hessian(layers)
    assert hessian.size + zeros == len(expected)
    assert zeros == len(layers[0]) * (MANY - FEW)
    found = with_zeros(np.linalg.eigvalsh(hessian.matrix()), zeros)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * expected[0])


@pytest.mark.parametrize("model", CONDENSED, ids=lambda m: m.label)
def test_the_largest_in_the_span_pass_by_the_zeros(model):
    X, y, layers = few_samples(model)
    expected = spectrum(model, X, y, layers)
    count = int((expected > 1e-10 * expected[0]).sum()) + 2
    hessian, zeros = Condensed.of(problem(model, X, y)).hessian(layers)
    if hessian.size > sharpness.WHOLE:
        count = min(count, 6)
    found = top_eigenvalues(hessian, count, 1e-12, 10**4, zeros)
    np.testing.assert_allclose(found, expected[:count], rtol=1e-10, atol=1e-10 * expected[0])


@pytest.mark.parametrize("model", CONDENSED, ids=lambda m: m.label)
def test_another_basis_gives_other_eigenvalues(model):
    X, y, layers = few_samples(model)
    condensed = Condensed.of(problem(model, X, y))
    wrong = condensed._replace(basis=torch.eye(MANY, FEW).double())
    one, other = (np.linalg.eigvalsh(c.hessian(layers)[0].matrix()) for c in (condensed, wrong))
    assert abs(one[-1] / other[-1] - 1) > 1e-4


def test_dependent_samples_have_a_span_too():
    model, (X, y) = two_layer(LEAKY_SOFTPLUS, 4), random_data(FEW, MANY)
    X[3:] = X[0]
    X[4] = 0
    layers = initial(model, X)
    hessian, zeros = Condensed.of(problem(model, X, y)).hessian(layers)
    expected = spectrum(model, X, y, layers)
    found = with_zeros(np.linalg.eigvalsh(hessian.matrix()), zeros)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * expected[0])


@pytest.mark.parametrize("n", [9, 12])
def test_as_many_samples_as_coordinates_change_nothing(n):
    model, (X, y) = two_layer(LEAKY_SOFTPLUS), random_data(n, 9)
    given = problem(model, X, y)
    condensed = Condensed.of(given)
    assert condensed.problem is given
    layers = initial(model, X)
    hessian, zeros = condensed.hessian(layers)
    assert zeros == 0
    assert torch.equal(hessian.matrix(), hessian_at(given, layers).matrix())


def test_infinite_weights_are_infinite_in_the_span():
    model = CONDENSED[0]
    X, y, layers = few_samples(model, 0)
    layers[0][0, 0] = torch.inf
    hessian, zeros = Condensed.of(problem(model, X, y)).hessian(layers)
    assert np.isnan(top_eigenvalues(hessian, 3, 1e-3, 50, zeros)).all()


def test_a_spent_budget_in_the_span_is_no_zero():
    X, y, layers = few_samples(CONDENSED[1])
    hessian, zeros = Condensed.of(problem(CONDENSED[1], X, y)).hessian(layers)
    assert hessian.size > sharpness.WHOLE
    assert np.isnan(top_eigenvalues(hessian, 4, 1e-14, 11, zeros)).all()


@given(st.lists(st.floats(allow_nan=False), max_size=9), st.integers(0, 9))
def test_zeros_come_after_what_is_positive_and_before_what_is_negative(values, zeros):
    values = sorted(values, reverse=True)
    found = with_zeros(np.array(values), zeros).tolist()
    positive, negative = [v for v in values if v > 0], [v for v in values if v < 0]
    between = len(values) - len(positive) - len(negative) + zeros
    assert found == positive + [0.0] * between + negative


def test_table_of_few_samples_is_made_in_their_span(tmp_path, monkeypatch):
    description = {
        "dataset": {"source": "margin", "n": FEW, "d": MANY, "gamma": 0.05},
        "model": {"kind": "two_layer", "width": 4, "activation": LEAKY_SOFTPLUS.model_dump()},
        "train": {"eta": [1], "seeds": [0], "steps": 9, "record": {"snapshots": 1}},
        "sharpness": {"top": 16},
    }
    experiment = Experiment.model_validate(description)
    X, y, layers = few_samples(experiment.model)
    runs = pd.DataFrame([dict.fromkeys(tables.RUNS.names) | {"key": "k", "seed": 0}])
    snapshots = {"k.steps": np.array([9]), "k.layer0": layers[0].numpy()[None]}
    sizes = []

    def noted(hessian, *rest):
        sizes.append(hessian.size)
        return top_eigenvalues(hessian, *rest)

    monkeypatch.setattr(sharpness_rows, "top_eigenvalues", noted)
    given = (X.numpy(), y.numpy(), runs, snapshots, torch.device("cpu"), Checkpoint(tmp_path / "c"))
    found = sharpness_rows.along(experiment, *given)["eigenvalue"]
    assert sizes == [4 * FEW]
    expected = spectrum(experiment.model, X, y, layers)[:16]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * expected[0])


def test_what_a_cluster_is_asked_for_counts_the_same_tiny_networks():
    assert resources.WHOLE == sharpness.WHOLE
