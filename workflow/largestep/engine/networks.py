"""The kinds of networks: outputs, loss, and gradients.

Gradients are derived by hand; with G_i = -l'(y_i f_i), dL/df_i = -y_i G_i / n.
"""

import torch
from torch import Tensor

from largestep.engine.gated import Gated
from largestep.engine.network import Network
from largestep.engine.problem import Problem
from largestep.engine.products import product


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
        for layer in self.weights:
            Z = torch.matmul(layer, self.problem.activation.value(Z))
        return Z[:, 0] * self.scale


class TwoLayer(Network):
    """A two-layer net with fixed output weights."""

    def __init__(self, problem, weights, form):
        super().__init__(problem, weights, form)
        self.head = problem.head.expand(len(self.f), 1, -1)
        self.compiled = None
        if problem.X.device.type == "cpu" and problem.compilable:
            from largestep.engine.compiled_pass import differentiator  # numba takes .3 s to import

            self.compiled = differentiator(problem)

    def _differentiate(self, scalars: Tensor) -> None:
        Z, D = self.first.Z, self.first.D
        if self.compiled:
            self.compiled(Z, D, self.f, scalars)
            return
        value, slope = self.problem.activation.value_and_slope(Z)
        torch.bmm(self.head, value, out=self.f[:, None])
        pull = self._summarise(scalars)
        torch.mul(slope.mul_(self.head.mT), pull[:, None], out=D)

    def _outputs(self, Z: Tensor) -> Tensor:
        return torch.bmm(self.head, self.problem.activation.value(Z))[:, 0]


def network(problem: Problem) -> type[Network]:
    """The kind of network that the problem has; its first layer may have either form."""
    if problem.gate_slope is not None:
        return Gated
    return Perceptron if problem.head is None else TwoLayer
