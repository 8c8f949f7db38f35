"""How far a network has moved: the definitions, against automatic differentiation."""

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from largestep.engine.movement import KERNEL_SAMPLES, movement, tangent_kernel
from largestep.method.models import AnyModel

MODELS = [
    {"kind": "two_layer", "width": 6, "activation": {"name": "leaky_softplus"}},
    {"kind": "two_layer_both", "width": 6, "activation": {"name": "gelu"}},
    {"kind": "mlp", "widths": [5, 4], "activation": {"name": "silu"}},
]
models = pytest.mark.parametrize("content", MODELS, ids=lambda content: content["kind"])


def network(content: dict, n: int = 9):
    model = TypeAdapter(AnyModel).validate_python(content)
    X = torch.as_tensor(np.random.default_rng(1).standard_normal((n, 3)))
    return model, X, *([torch.as_tensor(w) for w in model.initial_layers(3, s)] for s in (0, 1))


def features(model, X, layers):
    """The last hidden layer, and f."""
    head = None if model.head is None else torch.as_tensor(model.head)[None]
    *hidden, last = [*layers, head] if head is not None else layers
    H = X
    for W in hidden:
        H = model.activation.value_and_slope(H @ W.T)[0]
    return H, model.output_scale * (H @ last.T)[:, 0]


@models
def test_the_tangent_kernel_is_that_of_the_jacobian(content):
    model, X, layers, _ = network(content)
    parts = torch.autograd.functional.jacobian(
        lambda *layers: features(model, X, layers)[1], tuple(layers)
    )
    J = torch.cat([part.flatten(1) for part in parts], dim=1)
    assert torch.allclose(tangent_kernel(model, X, layers), J @ J.T, rtol=1e-12)


@models
def test_movements_are_relative_changes(content):
    model, X, start, end = network(content)
    found = movement(model, X, start, end)
    flat = [np.concatenate([w.numpy().ravel() for w in layers]) for layers in (start, end)]
    H = [features(model, X, layers)[0].numpy() for layers in (start, end)]
    K = [tangent_kernel(model, X, layers).numpy() for layers in (start, end)]
    for value, (before, after) in zip(found, (flat, H, K), strict=True):
        assert value == pytest.approx(np.linalg.norm(after - before) / np.linalg.norm(before))
    assert movement(model, X, start, start) == (0, 0, 0)


def test_the_kernel_takes_some_samples_of_many_and_none_twice():
    model, X, start, end = network(MODELS[0], n=2 * KERNEL_SAMPLES)
    every_other = X[torch.linspace(0, len(X) - 1, KERNEL_SAMPLES).round().long()]
    assert len(every_other.unique(dim=0)) == KERNEL_SAMPLES
    few = movement(model, every_other, start, end)
    assert movement(model, X, start, end).kernel == pytest.approx(few.kernel)


def test_no_start_and_no_end_have_no_movement():
    model, X, start, _ = network(MODELS[0])
    nowhere, zero = ([torch.full_like(w, value) for w in start] for value in (torch.nan, 0.0))
    assert np.isnan(movement(model, X, start, nowhere)).all()
    assert np.isnan(movement(model, X, zero, start).relative)
