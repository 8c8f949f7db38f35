"""R runs of a network at their points: what every kind of network has in common.

What a step leaves behind lies in the same memory at every step, as a CUDA graph needs it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor

from largestep.engine.first_layer import ByGram, ByWeights, inner, squares
from largestep.engine.problem import SCALARS, Problem
from largestep.engine.products import Product, multiply


class Network(ABC):
    """R runs at their current points; their first layer in the given form.

    weights: one (R, out, in) tensor per layer.
    """

    def __init__(
        self, problem: Problem, weights: list[Tensor], form: type[ByWeights] | type[ByGram]
    ):
        first, *others = weights
        self.problem, self.initial = problem, others
        self.first = form(problem, first)
        self.weights = [layer.clone() for layer in others]
        self.grads = [torch.zeros_like(layer) for layer in others]
        self.f = problem.X.new_empty(len(first), len(problem.y))

    @abstractmethod
    def _differentiate(self, scalars: Tensor) -> None:
        """From first.Z: outputs f, dL/dZ in first.D, gradients of the other layers; loss, margin
        and slope in `scalars`."""

    @abstractmethod
    def _outputs(self, Z: Tensor) -> Tensor:
        """f (R, k) where the first layer's pre-activations are Z (R, m, k)."""

    def passes(self, scalars: Tensor) -> Iterator[Product]:
        """`measure`, pausing for each product with a matrix that all runs share."""
        yield from self.first.forward()
        self._differentiate(scalars)
        yield from self.first.backward()
        scalars[2] = self.first.squared_norm() + sum(map(squares, self.weights))
        scalars[3] = self.first.squared_grad_norm() + sum(map(squares, self.grads))

    def measure(self, scalars: Tensor) -> None:
        for wanted in self.passes(scalars):
            multiply([wanted])

    def descend(self, factor: Tensor) -> None:
        """w <- w - factor * grad L, factor (R, 1, 1), from the measured point; `measure` or `loss`
        comes next."""
        # The gradient first, then subtracted: as part of its product, it is 24 times less accurate.
        for layer, grad in zip(self.weights, self.grads, strict=True):
            layer.addcmul_(grad, factor, value=-1)
        self.first.descend(factor)

    def move(self, moves: list[Tensor], factor: Tensor) -> None:
        """w <- w - factor * moves, one (R, out, in) tensor per layer; not by the Gram matrix."""
        for layer, move in zip([self.first.iterate, *self.weights], moves, strict=True):
            layer.addcmul_(move, factor, value=-1)

    def loss(self) -> Tensor:
        """L at the current point, (R,) float64; a step can then not be taken before `measure`."""
        for wanted in self.first.forward():
            multiply([wanted])
        scalars = self.f.new_empty(len(SCALARS), len(self.f), dtype=torch.float64)
        self._differentiate(scalars)
        return scalars[0]

    def keep(self) -> list[Tensor]:
        """Copies of all that a step reads and changes, for `restore`."""
        return [tensor.clone() for tensor in self._moved()]

    def restore(self, kept: list[Tensor]) -> None:
        for tensor, old in zip(self._moved(), kept, strict=True):
            tensor.copy_(old)

    def _moved(self) -> list[Tensor]:
        return [*self.first.moved(), *self.weights, *self.grads]

    def outputs(self) -> Tensor:
        return self.f

    def test_outputs(self) -> Tensor:
        return self._outputs(self.first.test_Z())

    def layers(self) -> list[Tensor]:
        return [self.first.weights(), *self.weights]

    def gradients(self) -> list[Tensor]:
        return [self.first.gradient(), *self.grads]

    def displacement(self) -> Tensor:
        pairs = zip(self.weights, self.initial, strict=True)
        moved = sum(squares(now - then) for now, then in pairs)
        return (self.first.squared_displacement() + moved).sqrt()

    def inner(self, state: dict[str, Tensor]) -> Tensor:
        others = sum(inner(w, state[f"layer{k}"]) for k, w in enumerate(self.weights, 1))
        return self.first.inner(state) + others

    def moving(self, factor: Tensor, moves: list[Tensor] | None = None) -> Tensor:
        """Share of the iterate's numbers that a step changes in their dtype, (R,)."""
        iterates = [self.first.iterate, *self.weights]
        moves = moves or [self.first.change, *self.grads]
        changed = sum(
            (w.addcmul(g, factor, value=-1) != w).sum((1, 2))
            for w, g in zip(iterates, moves, strict=True)
        )
        return changed.double() / sum(w[0].numel() for w in iterates)

    def state(self) -> dict[str, Tensor]:
        return self.first.state() | {f"layer{k}": w for k, w in enumerate(self.weights, 1)}

    def load(self, state: dict[str, Tensor]) -> None:
        self.first.load(state)
        for k, layer in enumerate(self.weights, 1):
            layer.copy_(state[f"layer{k}"])

    def _summarise(self, scalars: Tensor) -> Tensor:
        """Write loss, margin and slope of the outputs; returns dL/df (R, n)."""
        q = (self.f * self.problem.y).double()
        loss, steepness = self.problem.loss.value_and_slope(q)
        scalars[0] = loss.mean(1)
        scalars[1] = q.amin(1)
        scalars[4] = steepness.mean(1)
        return steepness.to(self.f.dtype).mul_(self.problem.y).mul_(-1 / q.shape[1])
