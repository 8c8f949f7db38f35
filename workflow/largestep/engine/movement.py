"""How far training has moved a network: its weights, its features, its tangent kernel.

In the lazy regime (Chizat, Oyallon, Bach; the initial scale of Li, Luo, Zhou) all three stay small:
the network is then its linearization at the initial weights.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from largestep.method.models.model import Model

#: Samples that the tangent kernel is made on, at most: evenly chosen, so that all classes occur.
KERNEL_SAMPLES = 200


class Movement(NamedTuple):
    """Relative changes from w_0 to w; nan where a start is zero or a weight is not finite.

    relative: ||w - w_0|| / ||w_0|| over all trained weights. feature: ||H - H_0||_F / ||H_0||_F,
    H (n, m) the activations of the last hidden layer on the data. kernel: the same of the tangent
    kernel K = (<grad f(x_i), grad f(x_j)>)_ij over the trained weights, on KERNEL_SAMPLES samples.
    """

    relative: float
    feature: float
    kernel: float


def movement(model: Model, X: Tensor, start: list[Tensor], end: list[Tensor]) -> Movement:
    """How far a run has moved from `start` to `end`; one (out, in) tensor per trained layer.

    X: (n, d); all in one dtype, on one device.
    """
    chosen = torch.linspace(0, len(X) - 1, min(len(X), KERNEL_SAMPLES), dtype=torch.float64)
    some = X[chosen.round().long().to(X.device)]
    weights = (torch.cat([layer.flatten() for layer in layers]) for layers in (start, end))
    features = (_layers(model, X, layers)[-1][0] for layers in (start, end))
    kernels = (tangent_kernel(model, some, layers) for layers in (start, end))
    return Movement(*(_change(*pair) for pair in (weights, features, kernels)))


def tangent_kernel(model: Model, X: Tensor, layers: list[Tensor]) -> Tensor:
    """(n, n): inner products of the gradients of f by all trained weights.

    The gradient by a layer's weights is an outer product, df/dZ times the layer's input, so that
    the kernel is a product of two Gram matrices, summed over layers.
    """
    return sum((B @ B.T) * (A @ A.T) for A, B in _gradients(model, X, layers))


def _gradients(model: Model, X: Tensor, layers: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each trained layer, from the last: its input (n, in) and df/dZ (n, out)."""
    matrices, passed = _matrices(model, X, layers), _layers(model, X, layers)
    delta = torch.full_like(X[:, :1], model.output_scale)
    for k in reversed(range(len(matrices))):
        if k < len(layers):
            yield passed[k][0], delta
        if k:
            delta = (delta @ matrices[k]) * passed[k][1]


def _layers(model: Model, X: Tensor, layers: list[Tensor]) -> list[tuple[Tensor, Tensor | None]]:
    """Inputs of each layer and the slopes of the activation there; the last is the features'."""
    passed: list[tuple[Tensor, Tensor | None]] = [(X, None)]
    for matrix in _matrices(model, X, layers)[:-1]:
        passed.append(model.activation.value_and_slope(passed[-1][0] @ matrix.T))
    return passed


def _matrices(model: Model, X: Tensor, layers: list[Tensor]) -> list[Tensor]:
    """All layers, a last one that does not move included."""
    head = [] if model.head is None else [torch.as_tensor(model.head).to(X)[None]]
    return [*layers, *head]


def _change(before: Tensor, after: Tensor) -> float:
    ratio = torch.linalg.vector_norm(after - before) / torch.linalg.vector_norm(before)
    return float(ratio) if ratio.isfinite() else float("nan")
