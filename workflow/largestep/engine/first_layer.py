"""The first layer of R runs: the one whose input all runs share, and nearly all of a step's work.

Either form has Z (R, m, n), the pre-activations, which `forward` makes current, and D (R, m, n),
where dL/dZ belongs before `backward`. Both pause for each product with a matrix that all runs
share. Neurons come before samples, so that these products are rows of a run times that matrix.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from largestep.engine.problem import Problem
from largestep.engine.products import Product, multiply, run_by_run


class _FirstLayer:
    """iterate: the tensor that gradient descent moves, by -stepsize * change.

    moved: all tensors that a step reads or changes.
    """

    iterate: Tensor
    change: Tensor

    def __init__(self, problem: Problem, weights: Tensor):
        """weights: initial ones, (R, m, d)."""
        self.problem, self.initial = problem, weights
        self.Z = weights.new_empty(*weights.shape[:2], len(problem.y))
        self.D = torch.zeros_like(self.Z)


class ByWeights(_FirstLayer):
    """The weights W (R, m, d) move: Z = W X^T, and the gradient is D X."""

    def __init__(self, problem: Problem, weights: Tensor):
        super().__init__(problem, weights)
        self.iterate = weights.clone()
        self.change = torch.zeros_like(weights)

    def forward(self) -> Iterator[Product]:
        yield Product(self.iterate, self.problem.shared_turned_X, self.Z)

    def backward(self) -> Iterator[Product]:
        yield Product(self.D, self.problem.shared_X, self.change)

    def descend(self, factor: Tensor) -> None:
        self.iterate.addcmul_(self.change, factor, value=-1)

    def moved(self) -> list[Tensor]:
        return [self.iterate, self.change]

    def test_Z(self) -> Tensor:
        return run_by_run(self.iterate, self.problem.test[0].T)

    def weights(self) -> Tensor:
        return self.iterate

    def gradient(self) -> Tensor:
        return self.change

    def squared_norm(self) -> Tensor:
        return squares(self.iterate)

    def squared_grad_norm(self) -> Tensor:
        return squares(self.change)

    def squared_displacement(self) -> Tensor:
        return squares(self.iterate - self.initial)

    def inner(self, state: dict[str, Tensor]) -> Tensor:
        return inner(self.iterate, state["layer0"])

    def state(self) -> dict[str, Tensor]:
        return {"layer0": self.iterate}

    def load(self, state: dict[str, Tensor]) -> None:
        self.iterate.copy_(state["layer0"])


class ByGram(_FirstLayer):
    """The pre-activations move: exact, and cheaper where n < 2d (derived).

    Gradient descent never leaves W0 + span(X): W = W0 - C X with coefficients C (R, m, n), so
    Z = W X^T follows Z <- Z - step D K and C <- C + step D, with the Gram matrix K = X X^T.
    """

    def __init__(self, problem: Problem, weights: Tensor):
        super().__init__(problem, weights)
        multiply([Product(weights, problem.shared_turned_X, self.Z)])
        self.Z0, self.squared_norm0 = self.Z.clone(), squares(weights)
        self.iterate, self.change = self.Z, torch.zeros_like(self.Z)
        self.C = torch.zeros_like(self.Z)

    def forward(self) -> Iterator[Product]:
        yield from ()

    def backward(self) -> Iterator[Product]:
        yield Product(self.D, self.problem.shared_gram, self.change)

    def descend(self, factor: Tensor) -> None:
        self.Z.addcmul_(self.change, factor, value=-1)
        self.C.addcmul_(self.D, factor)

    def moved(self) -> list[Tensor]:
        return [self.Z, self.C, self.D, self.change]

    @cached_property
    def _test_Z0(self) -> Tensor:
        return run_by_run(self.initial, self.problem.test[0].T)

    def test_Z(self) -> Tensor:
        return self._test_Z0 - run_by_run(self.C, self.problem.test_gram)

    def weights(self) -> Tensor:
        return self.initial - run_by_run(self.C, self.problem.X)

    def gradient(self) -> Tensor:
        return run_by_run(self.D, self.problem.X)

    def squared_norm(self) -> Tensor:
        # ||W||^2 = ||W0||^2 - 2 <C, Z0> + <C, C K>, and C K = Z0 - Z.
        return self.squared_norm0 - inner(self.C, self.Z0) - inner(self.C, self.Z)

    def squared_grad_norm(self) -> Tensor:
        return inner(self.D, self.change)

    def squared_displacement(self) -> Tensor:
        return inner(self.C, self.Z0 - self.Z).clamp(min=0)

    def inner(self, state: dict[str, Tensor]) -> Tensor:
        # <W0 - C X, W0 - C' X>
        return self.squared_norm0 - inner(self.C, state["Z"]) - inner(state["C"], self.Z0)

    def state(self) -> dict[str, Tensor]:
        return {"Z": self.Z, "C": self.C}

    def load(self, state: dict[str, Tensor]) -> None:
        self.Z.copy_(state["Z"])
        self.C.copy_(state["C"])


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each run's (out, in) slices, (R,), accumulated in float64."""
    if a.device.type != "cpu":
        return (a * b).sum((1, 2), dtype=torch.float64)
    from largestep.engine import compiled_sums  # numba takes .3 s to import

    sums = torch.empty(len(a), dtype=torch.float64)
    compiled_sums.inner(_flat(a), _flat(b), sums.numpy())
    return sums


def squares(a: Tensor) -> Tensor:
    """Squared Frobenius norm of each run's (out, in) slice, (R,), in float64."""
    return inner(a, a)


def _flat(a: Tensor) -> np.ndarray:
    return a.contiguous().flatten(1).numpy()
