"""Small two-layer nets as one compiled loop over steps, samples, neurons and runs.

For a handful of samples and neurons a tensor library spends its time on calls, not on arithmetic.
Here a whole stretch of steps is one call (`compiled_pass`). Runs are the innermost axis, so a run
is a lane of the vector unit.
"""

import numpy as np
import torch
from torch import Tensor

from largestep.engine.compiled_pass import descender
from largestep.engine.descent import Descent
from largestep.engine.first_layer import inner, squares
from largestep.engine.problem import SCALARS, Problem
from largestep.engine.scheduled import Scheduled


class Loop:
    """A two-layer net as (d, m, R), for small n, d and m on the CPU; gradient descent with
    stepsizes that are known beforehand.

    All arithmetic is in float64. With float32 data the weights are rounded to float32 after each
    step: it is the format that they are kept in, and what freezes them.
    """

    def __init__(self, problem: Problem, weights: list[Tensor], descent: Descent):
        self.problem, self.initial = problem, weights[0]
        self.data = (problem.X.double(), problem.y.double())
        self.stepsizes = Scheduled(descent)
        self.run_steps = descender(problem, len(descent))
        self.network = (problem.activation.numbers, problem.head.double().numpy())
        self._place(weights[0])

    def load(self, state: dict[str, Tensor]) -> None:
        self._place(state["layer0"])
        self.stepsizes.load(state)

    def _place(self, weights: Tensor) -> None:
        self.W = weights.permute(2, 1, 0).numpy().copy(order="C")
        self.grad = np.zeros(self.W.shape)
        self.f = np.zeros((len(self.problem.y), self.W.shape[2]))

    def measure(self, scalars: Tensor) -> None:
        self._descend(*self.data, self.grad, self.f, scalars[None])

    def advance(self, series: Tensor) -> None:
        stepsizes = self.stepsizes.next(len(series) - 1)
        self._descend(*self.data, self.grad, self.f, series[1:], stepsizes)

    def test_outputs(self) -> Tensor:
        X, y = (tensor.double() for tensor in self.problem.test)
        runs = self.W.shape[2]
        f, scalars = np.empty((len(y), runs)), X.new_empty(1, len(SCALARS), runs)
        self._descend(X, y, np.empty_like(self.grad), f, scalars)
        return torch.from_numpy(f.T)

    def _descend(self, X, y, grad, f, series: Tensor, stepsizes: Tensor | None = None) -> None:
        """Fill `series` after each step; without stepsizes, at the current point."""
        data = (X.contiguous().numpy(), y.contiguous().numpy())
        steps = np.empty((0, self.W.shape[2])) if stepsizes is None else stepsizes.numpy()
        self.run_steps(*self.network, steps, *data, self.W, grad, f, series.numpy())

    def outputs(self) -> Tensor:
        return torch.from_numpy(self.f.T)

    def layers(self) -> list[Tensor]:
        return [torch.from_numpy(self.W.transpose(2, 1, 0).copy())]

    def gradients(self) -> list[Tensor]:
        return [torch.from_numpy(self.grad.transpose(2, 1, 0).copy()).to(self.initial)]

    def displacement(self) -> Tensor:
        return squares(self.layers()[0] - self.initial).sqrt()

    def inner(self, state: dict[str, Tensor]) -> Tensor:
        return inner(self.layers()[0], state["layer0"])

    def pace(self, step: int) -> dict[str, Tensor]:
        return self.stepsizes.pace(step)

    def moving(self, scalars: Tensor) -> Tensor:
        stepsizes = self.stepsizes.coming()
        (w,), g = self.layers(), torch.from_numpy(self.grad.transpose(2, 1, 0).copy())
        return ((w - g * stepsizes[:, None, None]).to(w) != w).double().mean((1, 2))

    def state(self) -> dict[str, Tensor]:
        return {"layer0": self.layers()[0]} | self.stepsizes.clock
