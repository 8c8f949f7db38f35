"""Small perceptrons as one compiled loop over runs, steps and layers.

With layers of some dozens of neurons a tensor library spends as much time on calls as on products.
Here a whole stretch of steps is one call. Products are a library's all the same, SciPy's BLAS,
which compiled code can call; as with NumPy's, bits do not depend on where the operands lie.
"""

import math
from functools import partial

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  numba would load it later, with threads of its own
import torch
from numba import types
from threadpoolctl import ThreadpoolController
from torch import Tensor

from largestep.engine import compiled_sums
from largestep.engine.compiled_pass import activate, lose, specialised
from largestep.engine.descent import Descent
from largestep.engine.first_layer import inner, squares
from largestep.engine.networks import perceptron_outputs
from largestep.engine.problem import Problem
from largestep.engine.products import keep_threads
from largestep.engine.scheduled import Scheduled


class PerceptronLoop:
    """A perceptron whose layers lie one behind the other in W (R, P); gradient descent with
    stepsizes that are known beforehand. A layout (`layouts.Layout`).

    Weights, products and activations have the problem's dtype; the loss is in float64.
    """

    def __init__(self, problem: Problem, weights: list[Tensor], descent: Descent):
        self.problem, self.initial = problem, _flat(weights)
        self.shapes = [layer.shape[1:] for layer in weights]
        self.stepsizes = Scheduled(descent)
        self.f = np.zeros((len(descent), len(problem.y)))
        self._place(weights)
        keep_threads(ThreadpoolController().select(user_api="blas"))
        X = problem.X.contiguous().numpy()
        self.run_steps = partial(
            specialised(problem, _train, _SIGNATURES, alone=True),
            problem.activation.numbers,
            np.array(self.shapes),
            problem.output_scale,
            *(X, X.T.copy(), problem.y.double().numpy()),
        )

    def load(self, state: dict[str, Tensor]) -> None:
        self._place([state[f"layer{k}"] for k in range(len(self.shapes))])
        self.stepsizes.load(state)

    def _place(self, weights: list[Tensor]) -> None:
        self.W = _flat(weights)
        self.grad = torch.zeros_like(self.W)

    def measure(self, scalars: Tensor) -> None:
        self._run(np.empty((0, len(self.W))), scalars[None])

    def advance(self, series: Tensor) -> None:
        self._run(self.stepsizes.next(len(series) - 1).numpy(), series[1:])

    def _run(self, stepsizes: np.ndarray, series: Tensor) -> None:
        self.run_steps(stepsizes, self.W.numpy(), self.grad.numpy(), self.f, series.numpy())

    def outputs(self) -> Tensor:
        return torch.from_numpy(self.f)

    def test_outputs(self) -> Tensor:
        found, layers, Z = [], self.layers(), self.problem.test[0].T[None]
        for r in range(len(self.W)):
            first, *later = (layer[r : r + 1].clone() for layer in layers)
            found.append(perceptron_outputs(self.problem, later, torch.matmul(first, Z)))
        return torch.cat(found)

    def layers(self) -> list[Tensor]:
        return self._layers(self.W)

    def gradients(self) -> list[Tensor]:
        return self._layers(self.grad)

    def _layers(self, flat: Tensor) -> list[Tensor]:
        parts = flat.split([math.prod(shape) for shape in self.shapes], dim=1)
        return [
            part.reshape(-1, *shape).clone() for part, shape in zip(parts, self.shapes, strict=True)
        ]

    def displacement(self) -> Tensor:
        return squares((self.W - self.initial)[:, None]).sqrt()

    def inner(self, state: dict[str, Tensor]) -> Tensor:
        other = _flat([state[f"layer{k}"] for k in range(len(self.shapes))])
        return inner(self.W[:, None], other[:, None])

    def moving(self, scalars: Tensor) -> Tensor:
        step = self.stepsizes.coming()[:, None] * self.grad.double()
        return ((self.W.double() - step).to(self.W) != self.W).double().mean(1)

    def pace(self, step: int) -> dict[str, Tensor]:
        return self.stepsizes.pace(step)

    def state(self) -> dict[str, Tensor]:
        layers = {f"layer{k}": layer for k, layer in enumerate(self.layers())}
        return layers | self.stepsizes.clock


def _flat(layers: list[Tensor]) -> Tensor:
    return torch.cat([layer.flatten(1) for layer in layers], dim=1)


def _train(numbers, shapes, scale, X, turned, y, stepsizes, W, grad, f, series):
    """Fill series (k, 5, R), each entry after a step; move W, grad and f along.

    shapes (L, 2), (out, in) of each layer; X (n, d) and its transpose; stepsizes (k, R), or (0, R)
    for no step at all; W and grad (R, P), f (R, n).
    """
    n, last = len(X), len(shapes) - 1
    neurons = shapes[:last, 0].sum()
    # Of all hidden layers, one below the other: what comes out of them, and the slopes there.
    hidden, slopes = np.empty((neurons, n), W.dtype), np.empty((neurons, n), W.dtype)
    Z, top = np.empty((shapes[:, 0].max(), n), W.dtype), np.empty((1, n), W.dtype)
    outputs, scratch, square = np.empty((n, 1)), np.empty((3, n)), np.empty(1)
    for r in range(len(W)):
        w, g = W[r], grad[r]
        for t in range(len(series)):
            scalars = series[t][:, r : r + 1]
            if len(stepsizes):
                for p in range(len(w)):
                    w[p] = np.float64(w[p]) - stepsizes[t, r] * np.float64(g[p])

            before, begin, row = turned, 0, 0
            for k in range(last):
                out, size = shapes[k, 0], shapes[k, 0] * shapes[k, 1]
                layer = w[begin : begin + size].reshape(out, shapes[k, 1])
                np.dot(layer, before, Z[:out])
                before, behind = hidden[row : row + out], slopes[row : row + out]
                activate(numbers, Z[:out].reshape(-1), before.reshape(-1), behind.reshape(-1))
                begin, row = begin + size, row + out
            np.dot(w[begin:].reshape(1, shapes[last, 1]), before, top)
            for i in range(n):
                outputs[i, 0] = scale * top[0, i]
            f[r] = outputs[:, 0]
            pull = lose(y, outputs, scalars, scratch)
            for i in range(n):
                top[0, i] = scale * pull[i, 0]

            delta = top
            for k in range(last, 0, -1):
                out, into = shapes[k]
                layer = w[begin : begin + out * into].reshape(out, into)
                before, behind = hidden[row - into : row], slopes[row - into : row]
                np.dot(delta, before.T, g[begin : begin + out * into].reshape(out, into))
                # The layer's output is not needed any more: its memory takes the product.
                np.dot(layer.T, delta, before)
                delta, flat, slope = before, before.reshape(-1), behind.reshape(-1)
                for e in range(len(flat)):
                    flat[e] *= slope[e]
                row -= into
                begin -= shapes[k - 1, 0] * shapes[k - 1, 1]
            np.dot(delta, X, g[: shapes[0, 0] * shapes[0, 1]].reshape(shapes[0, 0], shapes[0, 1]))

            compiled_sums.inner(W[r : r + 1], W[r : r + 1], square)
            scalars[2, 0] = square[0]
            compiled_sums.inner(grad[r : r + 1], grad[r : r + 1], square)
            scalars[3, 0] = square[0]


_SIGNATURES = [
    (
        *(types.int64[:, ::1], types.float64, real[:, ::1], real[:, ::1], types.float64[::1]),
        *(types.float64[:, :], real[:, ::1], real[:, ::1], types.float64[:, ::1]),
        types.float64[:, :, :],
    )
    for real in (types.float64, types.float32)
]
