"""How the runs of a grid lie in memory.

All layouts have the same methods (see `Layout`) and the same results; they differ in which
shapes they are fast for.

A run's numbers must not depend on its neighbours, bitwise on the CPU. A library's kernels choose
their order of summation by position and alignment, so on the CPU every run has tensors of its own
(`Stacked`), unless compiled passes take run after run (`networks.CompiledByGram`), or a lane of a
compiled loop (`compiled_loop.Loop`), and shares only products that give it the same bits; on CUDA
runs are batched, and agree to the precision of the dtype.
"""

from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from largestep.engine.descent import Descent
from largestep.engine.networks import CompiledByGram, network
from largestep.engine.problem import Problem
from largestep.engine.products import LARGE, multiply
from largestep.engine.stepping import Constant, stepping


class Layout(Protocol):
    """R runs of one problem. Built from (problem, weights, descent); weights: one (R, out, in)
    tensor per layer."""

    def measure(self, scalars: Tensor) -> None:
        """Evaluate loss and gradient at the current point; write SCALARS, (5, R) float64."""

    def advance(self, series: Tensor) -> None:
        """Take k steps; series (k + 1, 5, R) has SCALARS of the current point in front, and gets
        those after each step."""

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

    def moving(self, scalars: Tensor) -> Tensor:
        """Share of the iterate's numbers that the next step changes in their dtype, (R,)."""

    def pace(self, step: int) -> dict[str, Tensor]:
        """As `stepping.Stepping.pace`."""

    def state(self) -> dict[str, Tensor]:
        """Tensors, run axis first, from which `load` continues exactly."""

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state`; `measure` comes next."""


class Separate:
    """Groups of `size` runs one after another; `parts`, one for each group."""

    def __init__(
        self, kind, problem: Problem, weights: list[Tensor], descent: Descent, size: int = 1
    ):
        runs = len(descent)
        self.groups = [slice(r, min(runs, r + size)) for r in range(0, runs, size)]
        self.parts = [
            kind(problem, [layer[group].clone() for layer in weights], descent.part(group))
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

    def moving(self, scalars: Tensor) -> Tensor:
        pairs = zip(self.groups, self.parts, strict=True)
        return torch.cat([part.moving(scalars[:, group]) for group, part in pairs])

    def pace(self, step: int) -> dict[str, Tensor]:
        return _merged([part.pace(step) for part in self.parts])

    def state(self) -> dict[str, Tensor]:
        return _merged([part.state() for part in self.parts])

    def load(self, state: dict[str, Tensor]) -> None:
        for part, own in zip(self.parts, self._split(state), strict=True):
            part.load(own)

    def _split(self, state: dict[str, Tensor]) -> list[dict[str, Tensor]]:
        return [{name: each[group] for name, each in state.items()} for group in self.groups]


class Stacked(Separate):
    """Networks side by side, one for each group of runs; they do products with a shared matrix
    together, and step each in its own way."""

    def __init__(
        self, kind, problem: Problem, weights: list[Tensor], descent: Descent, size: int = 1
    ):
        super().__init__(lambda p, w, _: kind(p, w), problem, weights, descent, size)
        pairs = zip(self.groups, self.parts, strict=True)
        self.steps = [stepping(part, descent.part(group)) for group, part in pairs]
        self.constant = isinstance(self.steps[0], Constant)

    def measure(self, scalars: Tensor) -> None:
        pairs = zip(self.groups, self.parts, strict=True)
        passes = [part.passes(scalars[:, group]) for group, part in pairs]
        # Strict, so that all passes are resumed after their last product.
        for products in zip(*passes, strict=True):
            multiply(products)

    def update(self, scalars: Tensor) -> None:
        """Take one step from the measured point; `measure` comes next."""
        for group, steps in zip(self.groups, self.steps, strict=True):
            # A constant stepsize looks at nothing, and a view of nothing costs nothing.
            steps.step(scalars if self.constant else scalars[:, group])

    def advance(self, series: Tensor) -> None:
        for before, after in pairwise(series):
            self.update(before)
            self.measure(after)

    def moving(self, scalars: Tensor) -> Tensor:
        pairs = zip(self.groups, self.steps, strict=True)
        return torch.cat([steps.moving(scalars[:, group]) for group, steps in pairs])

    def pace(self, step: int) -> dict[str, Tensor]:
        return _merged([steps.pace(step) for steps in self.steps])

    def state(self) -> dict[str, Tensor]:
        return super().state() | _merged([steps.state() for steps in self.steps])

    def load(self, state: dict[str, Tensor]) -> None:
        super().load(state)
        for steps, own in zip(self.steps, self._split(state), strict=True):
            steps.load(own)


#: Multiplications per run and product (n m d) up to which `Loop` beats the library (measured).
_LOOP = 400_000

#: Pre-activations (n m R) of the runs that `Loop` takes at a time: they stay in the cache.
_BLOCK = 4096


def arrange(problem: Problem, weights: list[Tensor], descent: Descent) -> Layout:
    """The runs in the layout that is fastest for the problem's shape, dtype and device (measured),
    and that has the steps of their descent.

    Never by the number of runs or steps: a run has the same numbers in every grid.
    """
    n, d = problem.X.shape
    m = weights[0].shape[1]
    # Only gradients keep the weights in W0 + span(X).
    gram = descent.direction.plain and n < 2 * d
    kind = network(problem, gram)
    if problem.X.device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = False
        batched = Stacked(kind, problem, weights, descent, size=len(descent))
        if descent.reads_back:
            return batched
        from largestep.engine.cuda_graphs import Captured

        return Captured(batched)
    if descent.scheduled and problem.gate_slope is None and problem.compilable:
        if problem.head is not None and n * m * d <= _LOOP:
            from largestep.engine.compiled_loop import Loop

            return Separate(Loop, problem, weights, descent, size=max(8, _BLOCK // (n * m)))
        # It goes by weights: two products of the first layer for a smaller one by the Gram matrix.
        limit = LARGE // 4 if gram else LARGE
        if problem.head is None and n * max(layer[0].numel() for layer in weights) < limit:
            from largestep.engine.compiled_perceptron import PerceptronLoop

            return PerceptronLoop(problem, weights, descent)
    # Not with policies: their formulas on all runs are the tensor library's.
    together = kind is CompiledByGram and descent.constant
    return Stacked(kind, problem, weights, descent, size=len(descent) if together else 1)


def _together(parts) -> list[Tensor]:
    """Layer by layer, the runs of all parts in one tensor."""
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]


def _merged(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Name by name, the runs of all parts in one tensor."""
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
