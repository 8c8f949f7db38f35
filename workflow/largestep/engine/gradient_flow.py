"""Gradient flow dw/dt = -grad L(w): where gradient descent leads as its stepsize goes to zero."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from scipy.integrate import RK45
from torch import Tensor

from largestep.engine.networks import network
from largestep.engine.problem import SCALARS, Problem
from largestep.method.losses.loss import Loss
from largestep.method.models.model import Model


class Landscape:
    """Loss and gradient at flat float64 weights (P,), by the engine's own passes.

    X (n, d) and y (n,): float64 tensors on one device; `initial`: an (out, in) array per layer.
    """

    def __init__(
        self, model: Model, loss: Loss, X: Tensor, y: Tensor, initial: Sequence[np.ndarray]
    ):
        weights = [torch.as_tensor(layer).to(X)[None] for layer in initial]
        self.shapes = [layer.shape for layer in weights]
        problem = Problem.of(model, loss, X, y)
        # Its iterate is the weights, whatever the size of the data.
        self.network = network(problem, by_gram=False)(problem, weights)
        self.scalars = X.new_empty(len(SCALARS), 1)

    def measure(self, w: np.ndarray) -> dict[str, float]:
        """The engine's scalars (problem.SCALARS) at w."""
        parts = torch.as_tensor(w).split([shape.numel() for shape in self.shapes])
        layers = [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]
        self.network.load({f"layer{k}": layer for k, layer in enumerate(layers)})
        self.network.measure(self.scalars)
        return dict(zip(SCALARS, self.scalars[:, 0].tolist(), strict=True))

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """grad L(w), (P,)."""
        self.measure(w)
        return torch.cat([layer.flatten() for layer in self.network.gradients()]).cpu().numpy()


def follow(
    landscape: Landscape,
    start: np.ndarray,
    times: Sequence[float],
    tolerance: float,
    evaluations: int,
    kept: Mapping[str, np.ndarray] | None = None,
    keep: Callable[[dict[str, np.ndarray]], None] = lambda solver: None,
) -> Iterator[tuple[np.ndarray, int]]:
    """The weights at each of the increasing `times`, and the gradients that it took to get there.

    Runge-Kutta of order 5(4) with error control (Dormand and Prince); between its steps the
    interpolant of order 4. `tolerance` is of each step's error, relative to a weight, absolute
    for one below 1. Ends early where no step may begin any more: after `evaluations` gradients.

    `keep` gets the solver's state before each of its steps. Given as `kept`, it is where the flow
    goes on, bit for bit, with the first of `times` that it has not yielded.
    """
    begun, at = (kept["clock"][0], kept["w"]) if kept else (0.0, start)
    solver = RK45(
        lambda time, w: -landscape.gradient(w), begun, at, times[-1], rtol=tolerance, atol=tolerance
    )
    if kept:
        solver.f, solver.h_abs = kept["slope"], kept["clock"][1]
        solver.nfev = int(kept["evaluations"][0])
        times = [time for time in times if time > begun]
    for time in times:
        while solver.t < time and solver.status == "running" and solver.nfev < evaluations:
            clock, count = np.array([solver.t, solver.h_abs]), np.array([solver.nfev])
            keep({"w": solver.y, "slope": solver.f, "clock": clock, "evaluations": count})
            solver.step()
        if solver.t < time:
            return
        yield (solver.dense_output()(time) if time else start), solver.nfev
