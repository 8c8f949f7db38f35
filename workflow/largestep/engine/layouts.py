"""How the runs of a grid lie in memory, and one step of gradient descent in each layout.

All layouts have the same methods (see `Layout`) and the same results; they differ in which
shapes they are fast for. Gradients are derived by hand; with s = sigmoid(-y f),
dL/df_i = -y_i s_i / n.

A run's numbers must not depend on its neighbours, bitwise on the CPU. A library's kernels choose
their order of summation by position and alignment, so on the CPU every run has tensors of its own
(`Separate`, `compiled_loop.Loop`), and shares only products that give it the same bits (`Stacked`);
on CUDA runs are batched, and agree to the precision of the dtype.

What a step leaves behind lies in the same memory at every step, as a CUDA graph needs it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from largestep.engine.first_layer import ByGram, ByWeights, inner, squares
from largestep.engine.problem import Problem
from largestep.engine.products import Product, multiply, product
from largestep.method.activations import softplus


class Layout(Protocol):
    """R runs of one problem. Built from (problem, weights, stepsizes): one (R, out, in) tensor
    per layer, and (R,) steps taken."""

    def measure(self, scalars: Tensor) -> None:
        """Evaluate loss and gradient at the current point; write SCALARS, (5, R) float64."""

    def advance(self, series: Tensor) -> None:
        """Take len(series) steps w <- w - step * grad; write SCALARS after each, (k, 5, R)."""

    def outputs(self) -> Tensor:
        """f on the training data at the measured point, (R, n)."""

    def test_outputs(self) -> Tensor:
        """f on the test data, (R, n_test)."""

    def layers(self) -> list[Tensor]:
        """Current weights, one (R, out, in) tensor per layer."""

    def gradients(self) -> list[Tensor]:
        """Gradients at the measured point, shaped like `layers`."""

    def displacement(self) -> Tensor:
        """||w - w_0||, (R,) float64."""

    def inner(self, state: dict[str, Tensor]) -> Tensor:
        """Inner product of the weights of `state` with the current ones, (R,) float64."""

    def moving(self) -> Tensor:
        """Share of the iterate's numbers that the next update changes in their dtype, (R,)."""

    def state(self) -> dict[str, Tensor]:
        """Tensors, run axis first, from which `load` continues exactly."""

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state`; `measure` comes next."""


class _Network(ABC):
    """R runs that take their steps one by one; their first layer in the given form."""

    def __init__(
        self,
        problem: Problem,
        weights: list[Tensor],
        stepsizes: Tensor,
        form: type[ByWeights] | type[ByGram],
    ):
        first, *others = weights
        self.problem, self.initial = problem, others
        self.first = form(problem, first)
        self.weights = [layer.clone() for layer in others]
        self.grads = [torch.zeros_like(layer) for layer in others]
        self.stepsizes = stepsizes.to(problem.X.dtype)[:, None, None]
        self.f = problem.X.new_empty(len(stepsizes), len(problem.y))

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

    def update(self) -> None:
        # The gradient first, then subtracted: as part of its product, it is 24 times less accurate.
        for layer, grad in zip(self.weights, self.grads, strict=True):
            layer.addcmul_(grad, self.stepsizes, value=-1)
        self.first.update(self.stepsizes)

    def advance(self, series: Tensor) -> None:
        for scalars in series:
            self.update()
            self.measure(scalars)

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

    def moving(self) -> Tensor:
        moves = [(self.first.iterate, self.first.change)]
        moves += zip(self.weights, self.grads, strict=True)
        step = self.stepsizes
        changed = sum((w.addcmul(g, step, value=-1) != w).sum((1, 2)) for w, g in moves)
        return changed.double() / sum(w[0].numel() for w, _ in moves)

    def state(self) -> dict[str, Tensor]:
        return self.first.state() | {f"layer{k}": w for k, w in enumerate(self.weights, 1)}

    def load(self, state: dict[str, Tensor]) -> None:
        self.first.load(state)
        for k, layer in enumerate(self.weights, 1):
            layer.copy_(state[f"layer{k}"])

    def _summarise(self, scalars: Tensor) -> Tensor:
        """Write loss, margin and slope of the outputs; returns dL/df (R, n)."""
        q = (self.f * self.problem.y).double()
        loss, steepness = softplus(-q)
        scalars[0] = loss.mean(1)
        scalars[1] = q.amin(1)
        scalars[4] = steepness.mean(1)
        return steepness.to(self.f.dtype).mul_(self.problem.y).mul_(-1 / q.shape[1])


class Perceptron(_Network):
    """A multilayer perceptron, any depth."""

    def __init__(self, problem, weights, stepsizes, form):
        super().__init__(problem, weights, stepsizes, form)
        runs, n = self.f.shape
        later = [self.f.new_empty(runs, layer.shape[1], n) for layer in weights[1:-1]]
        self.Z = [self.first.Z, *later]

    def _differentiate(self, scalars: Tensor) -> None:
        phi = self.problem.activation
        hidden = [phi.value(self.first.Z)]
        for layer, z in zip(self.weights[:-1], self.Z[1:], strict=True):
            # MKL takes twice as long where both factors lie row by row (measured).
            product(layer.mT.contiguous().mT, hidden[-1], out=z)
            hidden.append(phi.value(z))
        torch.bmm(self.weights[-1], hidden[-1], out=self.f[:, None])
        delta = self._summarise(scalars)[:, None]
        for k in reversed(range(len(hidden))):
            product(delta, hidden[k].mT, out=self.grads[k])
            # The layer's output is not needed any more: its memory takes the product.
            product(self.weights[k].mT, delta, out=hidden[k])
            delta = phi.pull_back(hidden[k], self.Z[k])
        self.first.D.copy_(delta)

    def _outputs(self, Z: Tensor) -> Tensor:
        for layer in self.weights:
            Z = torch.matmul(layer, self.problem.activation.value(Z))
        return Z[:, 0]


class TwoLayer(_Network):
    """A two-layer net with fixed output weights."""

    def __init__(self, problem, weights, stepsizes, form):
        super().__init__(problem, weights, stepsizes, form)
        self.head = problem.head.expand(len(stepsizes), 1, -1)
        self.compiled = None
        if problem.X.device.type == "cpu":
            from largestep.engine.compiled_loop import differentiator  # numba takes .3 s to import

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


class Separate:
    """Groups of `size` runs one after another, each in a layout of its own."""

    def __init__(
        self, kind, problem: Problem, weights: list[Tensor], stepsizes: Tensor, size: int = 1
    ):
        runs = len(stepsizes)
        self.groups = [slice(r, min(runs, r + size)) for r in range(0, runs, size)]
        self.parts = [
            kind(problem, [layer[group].clone() for layer in weights], stepsizes[group])
            for group in self.groups
        ]

    def measure(self, scalars: Tensor) -> None:
        for group, part in zip(self.groups, self.parts, strict=True):
            part.measure(scalars[:, group])

    def advance(self, series: Tensor) -> None:
        for group, part in zip(self.groups, self.parts, strict=True):
            part.advance(series[..., group])

    def outputs(self) -> Tensor:
        return torch.cat([part.outputs() for part in self.parts])

    def test_outputs(self) -> Tensor:
        return torch.cat([part.test_outputs() for part in self.parts])

    def layers(self) -> list[Tensor]:
        return _together(part.layers() for part in self.parts)

    def gradients(self) -> list[Tensor]:
        return _together(part.gradients() for part in self.parts)

    def displacement(self) -> Tensor:
        return torch.cat([part.displacement() for part in self.parts])

    def inner(self, state: dict[str, Tensor]) -> Tensor:
        return torch.cat([p.inner(s) for p, s in zip(self.parts, self._split(state), strict=True)])

    def moving(self) -> Tensor:
        return torch.cat([part.moving() for part in self.parts])

    def state(self) -> dict[str, Tensor]:
        states = [part.state() for part in self.parts]
        return {name: torch.cat([state[name] for state in states]) for name in states[0]}

    def load(self, state: dict[str, Tensor]) -> None:
        for part, own in zip(self.parts, self._split(state), strict=True):
            part.load(own)

    def _split(self, state: dict[str, Tensor]) -> list[dict[str, Tensor]]:
        return [{name: each[group] for name, each in state.items()} for group in self.groups]


class Stacked(Separate):
    """Runs side by side, each in a layout of its own; they do products with a shared matrix
    together."""

    def measure(self, scalars: Tensor) -> None:
        pairs = zip(self.groups, self.parts, strict=True)
        passes = [part.passes(scalars[:, group]) for group, part in pairs]
        # Strict, so that all passes are resumed after their last product.
        for products in zip(*passes, strict=True):
            multiply(products)

    def advance(self, series: Tensor) -> None:
        for scalars in series:
            for part in self.parts:
                part.update()
            self.measure(scalars)


#: Multiplications per run and product (n m d) up to which `Loop` beats the library (measured).
_LOOP = 400_000

#: Pre-activations (n m R) of the runs that `Loop` takes at a time: they stay in the cache.
_BLOCK = 4096


def arrange(problem: Problem, weights: list[Tensor], stepsizes: Tensor) -> Layout:
    """The runs in the layout that is fastest for the problem's shape, dtype and device (measured).

    Never by the number of runs or steps: a run has the same numbers in every grid.
    """
    n, d = problem.X.shape
    m = weights[0].shape[1]
    kind = partial(network(problem), form=ByGram if n < 2 * d else ByWeights)
    if problem.X.device.type == "cuda":
        from largestep.engine.cuda_graphs import Captured

        torch.backends.cuda.matmul.allow_tf32 = False
        return Captured(kind(problem, weights, stepsizes))
    if problem.head is not None and problem.X.dtype == torch.float64 and n * m * d <= _LOOP:
        from largestep.engine.compiled_loop import Loop

        return Separate(Loop, problem, weights, stepsizes, size=max(8, _BLOCK // (n * m)))
    return Stacked(kind, problem, weights, stepsizes)


def network(problem: Problem) -> type[Perceptron] | type[TwoLayer]:
    """The kind of network that the problem has; its first layer may have either form."""
    return Perceptron if problem.head is None else TwoLayer


def _together(parts) -> list[Tensor]:
    """Layer by layer, the runs of all parts in one tensor."""
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]
