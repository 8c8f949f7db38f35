"""The kinds of networks: outputs, loss, and gradients.

Gradients are derived by hand; with G_i = -l'(y_i f_i), dL/df_i = -y_i G_i / n.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from largestep.engine.first_layer import ByGram, ByWeights
from largestep.engine.gated import Gated
from largestep.engine.network import Network
from largestep.engine.problem import Problem
from largestep.engine.products import Product, product


class Perceptron(Network):
    """A network whose layers are all trained, any depth."""

    def __init__(self, problem, weights, form):
        super().__init__(problem, weights, form)
        runs, n = self.f.shape
        later = [self.f.new_empty(runs, layer.shape[1], n) for layer in weights[1:-1]]
        self.Z = [self.first.Z, *later]
        self.scale = problem.output_scale

    def _differentiate(self, scalars: Tensor) -> None:
        phi = self.problem.activation
        hidden = [phi.value(self.first.Z)]
        for layer, z in zip(self.weights[:-1], self.Z[1:], strict=True):
            # MKL takes twice as long where both factors lie row by row (measured).
            product(layer.mT.contiguous().mT, hidden[-1], out=z)
            hidden.append(phi.value(z))
        torch.bmm(self.weights[-1], hidden[-1], out=self.f[:, None])
        if self.scale != 1:
            self.f *= self.scale
        delta = self._summarise(scalars)[:, None]
        if self.scale != 1:
            delta = delta * self.scale
        for k in reversed(range(len(hidden))):
            product(delta, hidden[k].mT, out=self.grads[k])
            # The layer's output is not needed any more: its memory takes the product.
            product(self.weights[k].mT, delta, out=hidden[k])
            delta = phi.pull_back(hidden[k], self.Z[k])
        self.first.D.copy_(delta)

    def _outputs(self, Z: Tensor) -> Tensor:
        return perceptron_outputs(self.problem, self.weights, Z)


def perceptron_outputs(problem: Problem, later: list[Tensor], Z: Tensor) -> Tensor:
    """f (R, k) where the first layer's pre-activations are Z (R, m, k); later: the other layers."""
    for layer in later:
        Z = torch.matmul(layer, problem.activation.value(Z))
    return Z[:, 0] * problem.output_scale


class TwoLayer(Network):
    """A two-layer net with fixed output weights."""

    def __init__(self, problem, weights, form):
        super().__init__(problem, weights, form)
        self.head = problem.head.expand(len(self.f), 1, -1)

    def _differentiate(self, scalars: Tensor) -> None:
        Z, D = self.first.Z, self.first.D
        value, slope = self.problem.activation.value_and_slope(Z)
        torch.bmm(self.head, value, out=self.f[:, None])
        pull = self._summarise(scalars)
        torch.mul(slope.mul_(self.head.mT), pull[:, None], out=D)

    def _outputs(self, Z: Tensor) -> Tensor:
        return torch.bmm(self.head[: len(Z)], self.problem.activation.value(Z))[:, 0]


class CompiledByWeights(TwoLayer):
    """The same on the CPU, what lies between products compiled."""

    def __init__(self, problem, weights):
        super().__init__(problem, weights, ByWeights)
        from largestep.engine.compiled_pass import differentiator  # numba takes .3 s to import

        self.differentiate = differentiator(problem)

    def _differentiate(self, scalars: Tensor) -> None:
        self.differentiate(self.first.Z, self.first.D, self.f, scalars)


class CompiledByGram(TwoLayer):
    """The same by the Gram matrix: a step is taken in the pass that measures the point behind it.

    step: (R,), the stepsizes of that step; 0 where none is to be taken.
    """

    def __init__(self, problem, weights):
        super().__init__(problem, weights, ByGram)
        from largestep.engine.compiled_pass import strider  # numba takes .3 s to import

        first, self.step = self.first, torch.zeros(len(self.f), dtype=torch.float64)
        moved = (first.change, first.Z0, first.Z, first.C, first.D)
        self.stride = strider(problem, self.step, *moved, self.f)

    def descend(self, factor: Tensor) -> None:
        self.step.copy_(factor[:, 0, 0])

    def passes(self, scalars: Tensor) -> Iterator[Product]:
        self._differentiate(scalars)
        yield from self.first.backward()
        scalars[3] = self.first.squared_grad_norm()

    def _differentiate(self, scalars: Tensor) -> None:
        self.stride(scalars)
        scalars[2].neg_().add_(self.first.squared_norm0)

    def _outputs(self, Z: Tensor) -> Tensor:
        return torch.cat([super(CompiledByGram, self)._outputs(z.clone()) for z in Z.split(1)])

    def moving(self, factor: Tensor, moves: None = None) -> Tensor:
        Z = self.first.Z
        moved = (Z.double() - factor.double() * self.first.change.double()).to(Z)
        return (moved != Z).double().mean((1, 2))


def network(problem: Problem, by_gram: bool) -> Callable[[Problem, list[Tensor]], Network]:
    """How the kind of network that the problem has is built, its first layer in that form."""
    if problem.gate_slope is None and problem.head is not None:
        if problem.X.device.type == "cpu" and problem.compilable:
            return CompiledByGram if by_gram else CompiledByWeights
        kind = TwoLayer
    else:
        kind = Perceptron if problem.gate_slope is None else Gated
    return partial(kind, form=ByGram if by_gram else ByWeights)
