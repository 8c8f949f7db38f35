"""How the runs of a grid lie in memory, and one step of gradient descent in each layout.

All layouts have the same methods (see `Layout`) and the same results; they differ in which
shapes they are fast for. Gradients are derived by hand; with s = sigmoid(-y f),
dL/df_i = -y_i s_i / n.

A run's numbers must not depend on its neighbours, bitwise on the CPU. A library's kernels choose
their order of summation by position and alignment, so on the CPU every run has tensors of its own
(`Separate`, `loop.Loop`), and shares only products that give it the same bits (`Stacked`); on CUDA
runs are batched, and agree to the precision of the dtype. Neurons come before samples, (m, n), so
that all large products are rows of a run times a matrix of the problem.

What a step leaves behind lies in the same memory at every step, as a CUDA graph needs it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from largestep.activations import Activation, softplus
from largestep.products import Product, multiply, product

#: Scalars of the current point that `measure` writes, in this order; slope = mean_i |l'(y_i f_i)|.
SCALARS = ("loss", "margin", "squared_norm", "squared_grad_norm", "slope")


@dataclass(frozen=True)
class Problem:
    """A data set and a network without its weights; all tensors share device and dtype.

    X: (n, d); y: (n,) of -1 and +1; test: the same pair for test data, or None.
    head: (m,) fixed output weights of a two-layer net, or None where the last layer is trained.
    """

    X: Tensor
    y: Tensor
    activation: Activation
    head: Tensor | None = None
    test: tuple[Tensor, Tensor] | None = None

    @cached_property
    def gram(self) -> Tensor:
        """K = X X^T, (n, n)."""
        return self.X @ self.X.T

    @cached_property
    def test_gram(self) -> Tensor:
        """X X_test^T, (n, n_test)."""
        return self.X @ self.test[0].T


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


class ByWeights:
    """What layouts share whose iterate is the weights; `initial` has those of step 0."""

    initial: list[Tensor]
    stepsizes: Tensor

    def displacement(self) -> Tensor:
        pairs = zip(self.layers(), self.initial, strict=True)
        return sum(squares(now - then) for now, then in pairs).sqrt()

    def inner(self, state: dict[str, Tensor]) -> Tensor:
        return sum(inner(w, state[f"layer{k}"]) for k, w in enumerate(self.layers()))

    def moving(self) -> Tensor:
        layers = self.layers()
        pairs = zip(layers, self.gradients(), strict=True)
        changed = sum(((w - g * self.stepsizes) != w).sum((1, 2)) for w, g in pairs)
        return changed.double() / sum(w[0].numel() for w in layers)

    def state(self) -> dict[str, Tensor]:
        return {f"layer{k}": layer for k, layer in enumerate(self.layers())}


class _Stepwise(ABC):
    """What layouts share that take their steps one by one."""

    def __init__(self, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        self.problem, self.initial = problem, weights
        self.stepsizes = stepsizes.to(problem.X.dtype)[:, None, None]
        self.f = problem.X.new_empty(len(stepsizes), len(problem.y))

    @abstractmethod
    def passes(self, scalars: Tensor) -> Iterator[Product]:
        """`measure`, pausing for each product with a matrix that all runs share."""

    def measure(self, scalars: Tensor) -> None:
        for wanted in self.passes(scalars):
            multiply([wanted])

    def advance(self, series: Tensor) -> None:
        for scalars in series:
            self.update()
            self.measure(scalars)

    def outputs(self) -> Tensor:
        return self.f

    def _summarise(self, scalars: Tensor) -> Tensor:
        """Write loss, margin and slope of the outputs; returns dL/df (R, n)."""
        q = (self.f * self.problem.y).double()
        loss, steepness = softplus(-q)
        scalars[0] = loss.mean(1)
        scalars[1] = q.amin(1)
        scalars[4] = steepness.mean(1)
        return steepness.to(self.f.dtype).mul_(self.problem.y).mul_(-1 / q.shape[1])


class Layers(ByWeights, _Stepwise):
    """A multilayer perceptron, any depth."""

    def __init__(self, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        super().__init__(problem, weights, stepsizes)
        self.weights = [layer.clone() for layer in weights]
        self.grads = [torch.zeros_like(layer) for layer in weights]
        runs, n = self.f.shape
        self.Z = [self.f.new_empty(runs, layer.shape[1], n) for layer in weights[:-1]]

    def passes(self, scalars: Tensor) -> Iterator[Product]:
        phi, weights, grads, Z = self.problem.activation, self.weights, self.grads, self.Z
        yield Product(weights[0], self.problem.X.T, Z[0])
        hidden = [phi.value(Z[0])]
        for layer, z in zip(weights[1:-1], Z[1:], strict=True):
            # MKL takes twice as long where both factors lie row by row (measured).
            product(layer.mT.contiguous().mT, hidden[-1], out=z)
            hidden.append(phi.value(z))
        torch.bmm(weights[-1], hidden[-1], out=self.f[:, None])
        delta = self._summarise(scalars)[:, None]
        for k in reversed(range(1, len(weights))):
            product(delta, hidden[k - 1].mT, out=grads[k])
            # The layer's output is not needed any more: its memory takes the product.
            product(weights[k].mT, delta, out=hidden[k - 1])
            delta = phi.pull_back(hidden[k - 1], Z[k - 1])
        yield Product(delta, self.problem.X, grads[0])
        scalars[2] = sum(map(squares, weights))
        scalars[3] = sum(map(squares, grads))

    def update(self) -> None:
        # The gradient first, then subtracted: a fused update is 24 times less accurate.
        for layer, grad in zip(self.weights, self.grads, strict=True):
            layer.sub_(grad * self.stepsizes)

    def test_outputs(self) -> Tensor:
        h = self.problem.test[0].T
        for layer in self.weights[:-1]:
            h = self.problem.activation.value(torch.matmul(layer, h))
        return torch.matmul(self.weights[-1], h)[:, 0]

    def layers(self) -> list[Tensor]:
        return self.weights

    def gradients(self) -> list[Tensor]:
        return self.grads

    def load(self, state: dict[str, Tensor]) -> None:
        for k, layer in enumerate(self.weights):
            layer.copy_(state[f"layer{k}"])


class _TwoLayer(_Stepwise):
    """What two-layer layouts share."""

    def __init__(self, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        super().__init__(problem, weights, stepsizes)
        runs, n = self.f.shape
        self.Z = self.f.new_empty(runs, len(problem.head), n)
        self.head = problem.head.expand(runs, 1, -1)
        self.D = torch.zeros_like(self.Z)
        self.compiled = None
        if self.Z.device.type == "cpu":
            from largestep.loop import differentiator  # numba takes .3 s to import

            self.compiled = differentiator(problem)

    def _differentiate(self, scalars: Tensor) -> None:
        """D = dL/dZ (R, m, n) and the outputs at Z; writes loss, margin and slope."""
        if self.compiled:
            self.compiled(self.Z, self.D, self.f, scalars)
            return
        value, slope = self.problem.activation.value_and_slope(self.Z)
        torch.bmm(self.head, value, out=self.f[:, None])
        pull = self._summarise(scalars)
        torch.mul(slope.mul_(self.head.mT), pull[:, None], out=self.D)

    def test_outputs(self) -> Tensor:
        return torch.bmm(self.head, self.problem.activation.value(self._test_Z()))[:, 0]


class Direct(ByWeights, _TwoLayer):
    """A two-layer net by its weights (R, m, d): Z = W X^T, grad = dL/dZ X."""

    def __init__(self, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        super().__init__(problem, weights, stepsizes)
        self.W = weights[0].clone()
        self.grad = torch.zeros_like(self.W)

    def passes(self, scalars: Tensor) -> Iterator[Product]:
        yield Product(self.W, self.problem.X.T, self.Z)
        self._differentiate(scalars)
        yield Product(self.D, self.problem.X, self.grad)
        scalars[2] = squares(self.W)
        scalars[3] = squares(self.grad)

    def update(self) -> None:
        self.W.sub_(self.grad * self.stepsizes)

    def _test_Z(self) -> Tensor:
        return torch.matmul(self.W, self.problem.test[0].T)

    def layers(self) -> list[Tensor]:
        return [self.W]

    def gradients(self) -> list[Tensor]:
        return [self.grad]

    def load(self, state: dict[str, Tensor]) -> None:
        self.W.copy_(state["layer0"])


class Gram(_TwoLayer):
    """A two-layer net by its pre-activations: exact, and cheaper where n < 2d (derived).

    Gradient descent never leaves W0 + span(X): W = W0 - C X with coefficients C (m, n), so
    Z = W X^T follows Z <- Z - step D K and C <- C + step D, with K = X X^T and D = dL/dZ.
    Here Z is what moves or freezes, so `moving` counts its entries.
    """

    def __init__(self, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        super().__init__(problem, weights, stepsizes)
        multiply([Product(weights[0], problem.X.T, self.Z)])
        self.Z0 = self.Z.clone()
        self.squared_norm0 = squares(weights[0])
        self.C, self.DK = torch.zeros_like(self.Z), torch.zeros_like(self.Z)

    def passes(self, scalars: Tensor) -> Iterator[Product]:
        self._differentiate(scalars)
        yield Product(self.D, self.problem.gram, self.DK)
        # ||W||^2 = ||W0||^2 - 2 <C, Z0> + <C, C K>, and C K = Z0 - Z.
        scalars[2] = self.squared_norm0 - inner(self.C, self.Z0 + self.Z)
        scalars[3] = inner(self.D, self.DK)

    def update(self) -> None:
        self.Z.sub_(self.DK * self.stepsizes)
        self.C.add_(self.D * self.stepsizes)

    @cached_property
    def _test_Z0(self) -> Tensor:
        return torch.matmul(self.initial[0], self.problem.test[0].T)

    def _test_Z(self) -> Tensor:
        return self._test_Z0 - torch.matmul(self.C, self.problem.test_gram)

    def layers(self) -> list[Tensor]:
        return [self.initial[0] - torch.matmul(self.C, self.problem.X)]

    def gradients(self) -> list[Tensor]:
        return [torch.matmul(self.D, self.problem.X)]

    def displacement(self) -> Tensor:
        return inner(self.C, self.Z0 - self.Z).clamp(min=0).sqrt()

    def inner(self, state: dict[str, Tensor]) -> Tensor:
        # <W0 - C X, W0 - C' X>
        return self.squared_norm0 - inner(self.C, state["Z"]) - inner(state["C"], self.Z0)

    def moving(self) -> Tensor:
        changed = (self.Z - self.DK * self.stepsizes) != self.Z
        return changed.double().mean((1, 2))

    def state(self) -> dict[str, Tensor]:
        return {"Z": self.Z, "C": self.C}

    def load(self, state: dict[str, Tensor]) -> None:
        self.Z.copy_(state["Z"])
        self.C.copy_(state["C"])


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
    kind = Layers if problem.head is None else Gram if n < 2 * d else Direct
    if problem.X.device.type == "cuda":
        from largestep.capture import Captured

        torch.backends.cuda.matmul.allow_tf32 = False
        return Captured(kind(problem, weights, stepsizes))
    if problem.head is not None and problem.X.dtype == torch.float64 and n * m * d <= _LOOP:
        from largestep.loop import Loop

        return Separate(Loop, problem, weights, stepsizes, size=max(8, _BLOCK // (n * m)))
    return Stacked(kind, problem, weights, stepsizes)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each run's (out, in) slices, (R,), accumulated in float64."""
    return (a * b).sum((1, 2), dtype=torch.float64)


def squares(a: Tensor) -> Tensor:
    """Squared Frobenius norm of each run's (out, in) slice, (R,), in float64."""
    return inner(a, a)


def _together(parts) -> list[Tensor]:
    """Layer by layer, the runs of all parts in one tensor."""
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]
