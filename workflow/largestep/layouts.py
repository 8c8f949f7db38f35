"""How the runs of a grid lie in memory, and one step of gradient descent in each layout.

All layouts have the same methods (see `Layout`) and the same results; they differ in which
shapes they are fast for. Gradients are derived by hand; with s = sigmoid(-y f),
dL/df_i = -y_i s_i / n.

A run's numbers must not depend on its neighbours, bitwise on the CPU. So every product belongs to
one run and starts on a 64-byte boundary (a library's kernels choose their order of summation by
position and alignment), and no elementwise kernel with a scalar tail is used.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from largestep.activations import Activation, softplus

#: Scalars of the current point that `measure` writes, in this order; slope = mean_i |l'(y_i f_i)|.
SCALARS = ("loss", "margin", "squared_norm", "squared_grad_norm", "slope")

_ALIGNMENT = 64  # bytes


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
        """X_test X^T, (n_test, n)."""
        return self.test[0] @ self.X.T


class Layout(Protocol):
    """R runs of one problem. Built from (problem, weights, stepsizes): one (R, out, in) tensor
    per layer, and (R,) steps taken."""

    def measure(self, scalars: Tensor) -> None:
        """Evaluate loss and gradient at the current point; write SCALARS, (5, R) float64."""

    def update(self) -> None:
        """w <- w - step * grad at the measured point."""

    def outputs(self) -> Tensor:
        """f on the training data at the measured point, (R, n)."""

    def test_outputs(self) -> Tensor:
        """f on the test data, (R, n_test)."""

    def layers(self) -> list[Tensor]:
        """Current weights, one (R, out, in) tensor per layer."""

    def gradients(self) -> list[Tensor]:
        """Gradients at the measured point, shaped like `layers`."""

    def state(self) -> dict[str, Tensor]:
        """Tensors, run axis first, from which `load` continues exactly."""

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state`."""


class Layers:
    """A multilayer perceptron, any depth."""

    def __init__(self, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        self.problem, self.weights = problem, [layer.clone() for layer in weights]
        self.stepsizes = stepsizes.to(problem.X.dtype)[:, None, None]
        self.X = _shared(problem.X, len(stepsizes))

    def measure(self, scalars: Tensor) -> None:
        problem, inputs, slopes, h = self.problem, [], [], self.X
        for layer in self.weights[:-1]:
            inputs.append(h)
            h, slope = problem.activation.value_and_slope(torch.bmm(h, layer.mT))
            slopes.append(slope)
        inputs.append(h)
        self.f = _contract(h, self.weights[-1])
        pull = _summarise(scalars, self.f, problem.y)
        delta = pull[..., None]
        self.grads = []
        for layer, h in zip(reversed(self.weights), reversed(inputs), strict=True):
            self.grads.insert(0, torch.bmm(delta.mT, h))
            if slopes:
                delta = torch.bmm(delta, layer).mul_(slopes.pop())
        scalars[2] = sum(map(squares, self.weights))
        scalars[3] = sum(map(squares, self.grads))

    def update(self) -> None:
        # The gradient first, then subtracted: a fused update is 24 times less accurate.
        for layer, grad in zip(self.weights, self.grads, strict=True):
            layer.sub_(grad * self.stepsizes)

    def outputs(self) -> Tensor:
        return self.f

    def test_outputs(self) -> Tensor:
        h = _shared(self.problem.test[0], len(self.X))
        for layer in self.weights[:-1]:
            h = self.problem.activation.value_and_slope(torch.bmm(h, layer.mT))[0]
        return _contract(h, self.weights[-1])

    def layers(self) -> list[Tensor]:
        return self.weights

    def gradients(self) -> list[Tensor]:
        return self.grads

    def state(self) -> dict[str, Tensor]:
        return {f"layer{k}": layer for k, layer in enumerate(self.weights)}

    def load(self, state: dict[str, Tensor]) -> None:
        self.weights = [state[f"layer{k}"].clone() for k in range(len(self.weights))]


class _TwoLayer:
    """What two-layer layouts share. Dead neurons (all weights zero) fill up the alignment."""

    def __init__(self, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        self.problem, self.width = problem, weights[0].shape[1]
        self.stepsizes = stepsizes.to(problem.X.dtype)[:, None, None]
        dead = -self.width % (_ALIGNMENT // problem.X.element_size())
        self.head = pad(problem.head, (0, dead))
        self.X = _shared(problem.X, len(stepsizes))
        self.W0 = pad(weights[0], (0, 0, 0, dead))

    def _differentiate(self, Z: Tensor, scalars: Tensor) -> Tensor:
        """dL/dZ (R, n, m) at pre-activations Z; writes loss, margin and slope."""
        value, slope = self.problem.activation.value_and_slope(Z)
        self.f = _contract(value, self.head)
        pull = _summarise(scalars, self.f, self.problem.y)
        return slope.mul_(self.head).mul_(pull[..., None])

    def outputs(self) -> Tensor:
        return self.f

    def test_outputs(self) -> Tensor:
        return _contract(self.problem.activation.value_and_slope(self._test_Z())[0], self.head)


class Direct(_TwoLayer):
    """A two-layer net by its weights (R, m, d): Z = X W^T, grad = (dL/dZ)^T X."""

    def __init__(self, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        super().__init__(problem, weights, stepsizes)
        self.W = self.W0.clone()

    def measure(self, scalars: Tensor) -> None:
        D = self._differentiate(torch.bmm(self.X, self.W.mT), scalars)
        self.grad = torch.bmm(D.mT, self.X)
        scalars[2] = squares(self.W)
        scalars[3] = squares(self.grad)

    def update(self) -> None:
        self.W.sub_(self.grad * self.stepsizes)

    def _test_Z(self) -> Tensor:
        return torch.bmm(_shared(self.problem.test[0], len(self.W)), self.W.mT)

    def layers(self) -> list[Tensor]:
        return [self.W[:, : self.width]]

    def gradients(self) -> list[Tensor]:
        return [self.grad[:, : self.width]]

    def state(self) -> dict[str, Tensor]:
        return {"W": self.W}

    def load(self, state: dict[str, Tensor]) -> None:
        self.W = state["W"].clone()


class Gram(_TwoLayer):
    """A two-layer net by its pre-activations: exact, and cheaper where n < 2d (derived).

    Gradient descent never leaves W0 + span(X): W = W0 - C^T X with coefficients C (n, m), so
    Z = X W^T follows Z <- Z - step K D and C <- C + step D, with K = X X^T and D = dL/dZ.
    """

    def __init__(self, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        super().__init__(problem, weights, stepsizes)
        self.K = _shared(problem.gram, len(stepsizes))
        self.Z0 = torch.bmm(self.X, self.W0.mT)
        self.squared_norm0 = squares(self.W0)
        self.Z, self.C = self.Z0.clone(), torch.zeros_like(self.Z0)

    def measure(self, scalars: Tensor) -> None:
        self.D = self._differentiate(self.Z, scalars)
        self.KD = torch.bmm(self.K, self.D)
        # ||W||^2 = ||W0||^2 - 2 <C, Z0> + <C, K C>, and K C = Z0 - Z.
        scalars[2] = self.squared_norm0 - inner(self.C, self.Z0 + self.Z)
        scalars[3] = inner(self.D, self.KD)

    def update(self) -> None:
        self.Z.sub_(self.KD * self.stepsizes)
        self.C.add_(self.D * self.stepsizes)

    @cached_property
    def _test_Z0(self) -> Tensor:
        return torch.bmm(_shared(self.problem.test[0], len(self.W0)), self.W0.mT)

    def _test_Z(self) -> Tensor:
        return self._test_Z0 - torch.bmm(_shared(self.problem.test_gram, len(self.C)), self.C)

    def layers(self) -> list[Tensor]:
        return [(self.W0 - torch.bmm(self.C.mT, self.X))[:, : self.width]]

    def gradients(self) -> list[Tensor]:
        return [torch.bmm(self.D.mT, self.X)[:, : self.width]]

    def state(self) -> dict[str, Tensor]:
        return {"Z": self.Z, "C": self.C}

    def load(self, state: dict[str, Tensor]) -> None:
        self.Z, self.C = state["Z"].clone(), state["C"].clone()


class RunsLast:
    """A two-layer net as (d, m, R), for a handful of points: no library call, no loop over runs.

    Runs of stepsize zero fill R up, so that every run lies alike in the vector registers.
    """

    def __init__(self, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        self.problem, self.runs = problem, len(stepsizes)
        idle = -self.runs % (_ALIGNMENT // 4)
        self.W = pad(weights[0].permute(2, 1, 0), (0, idle)).contiguous()
        self.stepsizes = pad(stepsizes, (0, idle)).to(self.W.dtype)
        self.X = problem.X[:, :, None, None]
        self.y, self.head = problem.y[:, None], problem.head[:, None]

    def measure(self, scalars: Tensor) -> None:
        value, slope = self.problem.activation.value_and_slope((self.X * self.W).sum(1))
        self.f = value.mul_(self.head).sum(1)
        loss, steepness = softplus(-self.y * self.f)
        pull = steepness * (-self.y / len(self.y))
        D = slope.mul_(self.head).mul_(pull[:, None])
        self.grad = (self.X * D[:, None]).sum(0)
        measured = (
            loss.mean(0),
            (self.f * self.y).amin(0),
            (self.W * self.W).sum((0, 1)),
            (self.grad * self.grad).sum((0, 1)),
            steepness.mean(0),
        )
        for row, values in zip(scalars, measured, strict=True):
            row.copy_(values[: self.runs])

    def update(self) -> None:
        self.W.sub_(self.grad * self.stepsizes)

    def outputs(self) -> Tensor:
        return self.f[:, : self.runs].T

    def test_outputs(self) -> Tensor:
        Z = (self.problem.test[0][:, :, None, None] * self.W).sum(1)
        f = (self.problem.activation.value_and_slope(Z)[0] * self.head).sum(1)
        return f[:, : self.runs].T

    def layers(self) -> list[Tensor]:
        return [self.W[..., : self.runs].permute(2, 1, 0).contiguous()]

    def gradients(self) -> list[Tensor]:
        return [self.grad[..., : self.runs].permute(2, 1, 0).contiguous()]

    def state(self) -> dict[str, Tensor]:
        return {"W": self.layers()[0]}

    def load(self, state: dict[str, Tensor]) -> None:
        self.W[..., : self.runs] = state["W"].permute(2, 1, 0)


class Separate:
    """Runs one after another, each in a layout of its own: best where one run fills the caches."""

    def __init__(self, single, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        self.parts = [
            single(problem, [layer[r : r + 1] for layer in weights], stepsizes[r : r + 1])
            for r in range(len(stepsizes))
        ]

    def measure(self, scalars: Tensor) -> None:
        for r, part in enumerate(self.parts):
            part.measure(scalars[:, r : r + 1])

    def update(self) -> None:
        for part in self.parts:
            part.update()

    def outputs(self) -> Tensor:
        return torch.cat([part.outputs() for part in self.parts])

    def test_outputs(self) -> Tensor:
        return torch.cat([part.test_outputs() for part in self.parts])

    def layers(self) -> list[Tensor]:
        return _together(part.layers() for part in self.parts)

    def gradients(self) -> list[Tensor]:
        return _together(part.gradients() for part in self.parts)

    def state(self) -> dict[str, Tensor]:
        states = [part.state() for part in self.parts]
        return {name: torch.cat([state[name] for state in states]) for name in states[0]}

    def load(self, state: dict[str, Tensor]) -> None:
        for r, part in enumerate(self.parts):
            part.load({name: tensor[r : r + 1] for name, tensor in state.items()})


def arrange(problem: Problem, weights: list[Tensor], stepsizes: Tensor) -> Layout:
    """The runs in the layout that is fastest for the problem's shape and device (measured)."""
    n, d = problem.X.shape
    if problem.head is None:
        single, size = Layers, n * max(layer.shape[1] for layer in weights)
    elif n * d <= 64:
        return RunsLast(problem, weights, stepsizes)
    else:
        single, size = (Gram if n < 2 * d else Direct), n * len(problem.head)
    ragged = problem.head is None and any(layer.shape[1] % 16 for layer in weights[:-1])
    if problem.X.device.type == "cpu" and (ragged or size > 16_384):
        return Separate(single, problem, weights, stepsizes)
    return single(problem, weights, stepsizes)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each run's (out, in) slices, (R,), accumulated in float64."""
    return (a * b).sum((1, 2), dtype=torch.float64)


def squares(a: Tensor) -> Tensor:
    """Squared Frobenius norm of each run's (out, in) slice, (R,), in float64."""
    return inner(a, a)


def _shared(tensor: Tensor, runs: int) -> Tensor:
    """One tensor as every run's, (R, ...), without a copy."""
    return tensor.expand(runs, *tensor.shape)


def _contract(h: Tensor, head: Tensor) -> Tensor:
    """(R, n, m) with weights (m,) or (R, 1, m) to (R, n)."""
    return (h * head).sum(-1)


def _summarise(scalars: Tensor, f: Tensor, y: Tensor) -> Tensor:
    """Write loss, margin and slope of outputs f (R, n); returns dL/df (R, n)."""
    wide, y = f.double(), y.double()
    loss, steepness = softplus(-y * wide)
    scalars[0] = loss.mean(1)
    scalars[1] = (y * wide).amin(1)
    scalars[4] = steepness.mean(1)
    return (steepness * (-y / len(y))).to(f.dtype)


def _together(parts) -> list[Tensor]:
    """Layer by layer, the runs of all parts in one tensor."""
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]
