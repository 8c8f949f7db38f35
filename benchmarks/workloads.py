"""What is trained: the same numbers for every variant. All data are synthetic, from fixed seeds."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from largestep.method.activations import GELU, Activation, LeakySoftplus


@dataclass(frozen=True)
class Workload:
    """R runs of one network on one data set.

    X (n, d); y (n,); head (m,) or None for an MLP; weights: one (R, out, in) array per layer;
    stepsizes (R,), the steps taken. All but the stepsizes have the workload's dtype.
    steps: how long the engine trains, so that what it does once, or at recorded rows only, weighs
    about as it does in an experiment.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    activation: Activation
    head: np.ndarray | None
    weights: list[np.ndarray]
    stepsizes: np.ndarray
    steps: int

    @property
    def runs(self) -> int:
        return len(self.stepsizes)

    @property
    def dtype(self) -> str:
        return self.X.dtype.name

    @property
    def label(self) -> str:
        n = len(self.y)
        return f"{self.name}, {self.dtype}" if self.name != "W2" else f"W2 n = {n}, {self.dtype}"


def w1(runs: int = 32, m: int = 20, n: int = 4, name: str = "W1") -> Workload:
    """XOR, m = 20, eight stepsizes and four seeds; or more runs, neurons or points of the kind."""
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=float)
    X = np.resize(corners, (n, 2))
    etas = np.resize([1.0, 2, 5, 10, 15, 20, 30, 50], runs)
    seeds = [np.random.default_rng(r // 8).standard_normal((m, 2)) for r in range(runs)]
    head = np.repeat([1 / m, -1 / m], m // 2)
    activation = LeakySoftplus(c=0.5)
    return Workload(
        name, X, -X[:, 0] * X[:, 1], activation, head, [np.array(seeds)], m * etas, 2**16
    )


def w2(n: int, dtype: str) -> Workload:
    """A two-layer net on n images' worth of centred unit rows, d = 3072, m = 40, four stepsizes."""
    rng, d, m = np.random.default_rng(0), 3072, 40
    X = rng.standard_normal((n, d)) / math.sqrt(d)
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    W = np.repeat(rng.standard_normal((1, m, d)), 4, axis=0)
    head = np.repeat([1 / m, -1 / m], m // 2)
    activation = LeakySoftplus(c=0.5)
    stepsizes = m * np.array([25.0, 100, 200, 400])
    steps = 1024 if n <= 1000 else 512
    return _cast(Workload("W2", X, y, activation, head, [W], stepsizes, steps), dtype)


def w3() -> Workload:
    """A 4-layer GELU perceptron, 3072-200-200-200-1, on 2000 samples, two stepsizes, float32."""
    return _perceptron("W3", n=2000, d=3072, width=200, steps=256)


def w4() -> Workload:
    """A small one, 64-64-64-64-1, on 500 samples."""
    return _perceptron("W4", n=500, d=64, width=64, steps=2048)


def w5() -> Workload:
    """W1 in float32."""
    return _cast(w1(name="W5"), "float32")


def small_images() -> Workload:
    """The two-layer net of W2 on 1,000 samples, float64."""
    return replace(w2(1000, "float64"), name="two-layer, n = 1000, d = 3072")


def small_perceptron() -> Workload:
    """A perceptron 784-64-64-64-1 on 1,000 samples, float64."""
    found = _perceptron("perceptron, n = 1000, d = 784", n=1000, d=784, width=64, steps=1)
    return _cast(found, "float64")


def _perceptron(name: str, n: int, d: int, width: int, steps: int) -> Workload:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    sizes = (d, width, width, width, 1)
    layers = [rng.uniform(-1, 1, (1, b, a)) / math.sqrt(a) for a, b in pairwise(sizes)]
    weights = [np.repeat(layer, 2, axis=0) for layer in layers]
    stepsizes, activation = np.array([0.2, 0.005]), GELU()
    return _cast(Workload(name, X, y, activation, None, weights, stepsizes, steps), "float32")


def _cast(workload: Workload, dtype: str) -> Workload:
    def cast(array):
        return None if array is None else array.astype(dtype)

    return Workload(
        workload.name,
        cast(workload.X),
        cast(workload.y),
        workload.activation,
        cast(workload.head),
        [cast(layer) for layer in workload.weights],
        workload.stepsizes,
        workload.steps,
    )
