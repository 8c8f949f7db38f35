"""Small two-layer nets as one compiled loop over steps, samples, neurons and runs.

For a handful of samples and neurons a tensor library spends its time on calls, not on arithmetic.
Here a whole stretch of steps is one call. Runs are the innermost axis, so a run is a lane of the
vector unit, and every operation is an IEEE operation in a fixed order: no library function, no
reordered sum, no contraction left to a compiler. So a run's numbers depend neither on its
neighbours, nor on its place among them, nor on the processor (but for GELU's erf, which is the
C library's).
"""

import math

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from torch import Tensor

from largestep.engine.first_layer import inner, squares
from largestep.engine.problem import SCALARS, Problem

_SOFTPLUS, _GELU, _SILU, _HUBER = range(4)
_KINDS = {"softplus": _SOFTPLUS, "gelu": _GELU, "silu": _SILU, "huberized_relu": _HUBER}

compiled = njit(error_model="numpy")


class Loop:
    """A two-layer net as (d, m, R), for small n, d and m in float64 on the CPU."""

    def __init__(self, problem: Problem, weights: list[Tensor], stepsizes: Tensor):
        self.problem, self.initial = problem, weights[0]
        self.stepsizes = stepsizes[:, None, None]
        self.network = (*_activation(problem), problem.head.numpy(), stepsizes.numpy())
        self.load({"layer0": weights[0]})

    def load(self, state: dict[str, Tensor]) -> None:
        self.W = state["layer0"].permute(2, 1, 0).numpy().copy(order="C")
        self.grad = np.zeros_like(self.W)
        self.f = np.zeros((len(self.problem.y), self.W.shape[2]))

    def measure(self, scalars: Tensor) -> None:
        self._descend(self.problem.X, self.problem.y, self.grad, self.f, scalars[None], 0)

    def advance(self, series: Tensor) -> None:
        self._descend(self.problem.X, self.problem.y, self.grad, self.f, series, 1)

    def test_outputs(self) -> Tensor:
        X, y = self.problem.test
        runs = self.W.shape[2]
        f, scalars = np.empty((len(y), runs)), X.new_empty(1, len(SCALARS), runs)
        self._descend(X, y, np.empty_like(self.grad), f, scalars, 0)
        return torch.from_numpy(f.T)

    def _descend(self, X: Tensor, y: Tensor, grad, f, series: Tensor, updates: int) -> None:
        data = (X.contiguous().numpy(), y.contiguous().numpy())
        _descend(*self.network, *data, self.W, grad, f, series.numpy(), updates)

    def outputs(self) -> Tensor:
        return torch.from_numpy(self.f.T)

    def layers(self) -> list[Tensor]:
        return [torch.from_numpy(self.W.transpose(2, 1, 0).copy())]

    def gradients(self) -> list[Tensor]:
        return [torch.from_numpy(self.grad.transpose(2, 1, 0).copy())]

    def displacement(self) -> Tensor:
        return squares(self.layers()[0] - self.initial).sqrt()

    def inner(self, state: dict[str, Tensor]) -> Tensor:
        return inner(self.layers()[0], state["layer0"])

    def moving(self) -> Tensor:
        (w,), (g,) = self.layers(), self.gradients()
        return ((w - g * self.stepsizes) != w).double().mean((1, 2))

    def state(self) -> dict[str, Tensor]:
        return {"layer0": self.layers()[0]}


def differentiator(problem: Problem):
    """What `layouts.TwoLayer` does between products, compiled; computed in float64."""
    network = (*_activation(problem), problem.head.numpy(), problem.y.numpy())

    def differentiate(Z: Tensor, D: Tensor, f: Tensor, scalars: Tensor) -> None:
        """D = dL/dZ at Z, both (R, m, n); f (R, n); loss, margin and slope in scalars (5, R)."""
        arrays = zip(Z.flatten(1).numpy(), D.flatten(1).numpy(), f.numpy(), strict=True)
        for r, (z, d, outputs) in enumerate(arrays):
            _differentiate_run(*network, z, d, outputs, scalars[:, r : r + 1].numpy())

    return differentiate


def _activation(problem: Problem) -> tuple[int, float, float]:
    """Kind, share c of the linear part, and parameter h."""
    name = problem.activation.name.removeprefix("leaky_")
    linear = problem.activation.c if name != problem.activation.name else 0.0
    return _KINDS[name], linear, getattr(problem.activation, "h", 1.0)


@intrinsic
def fma(context, a, b, c):
    """a b + c, rounded once."""

    def code(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), code


@intrinsic
def _power_of_two(context, t):
    """2^k, where k is in the last bits of t = 1.5 * 2^52 + k."""

    def code(context, builder, signature, arguments):
        word = ir.IntType(64)
        bits = builder.shl(builder.bitcast(arguments[0], word), word(52))
        return builder.bitcast(builder.add(bits, word(1023 << 52)), ir.DoubleType())

    return types.float64(types.float64), code


_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42fefa39efp-1"), float.fromhex("0x1.abc9e3b39803fp-56")
_ROUNDER = 1.5 * 2**52
_PER_LN2 = 1 / math.log(2)
_EXP = tuple(1 / math.factorial(k) for k in range(13, -1, -1))  # Taylor; |r| <= ln(2) / 2
_ARTANH = tuple(1 / k for k in range(19, 2, -2))  # Taylor; s^2 <= .0295


@compiled
def _polynomial(coefficients, x):
    value = 0.0
    for c in coefficients:
        value = fma(value, x, c)
    return value


@compiled
def exp(x):
    """e^x for x <= 0, to 1.5 units in the last place; 0 where that would be subnormal."""
    t = fma(x, _PER_LN2, _ROUNDER)
    k = t - _ROUNDER
    r = fma(k, -_LN2_LOW, fma(k, -_LN2_HIGH, x))
    return 0.0 if x < -708.0 else _polynomial(_EXP, r) * _power_of_two(t)


@compiled
def log1p(u):
    """ln(1 + u) for 0 <= u <= 1, to 1.5 units in the last place: 2 artanh(u / (2 + u))."""
    halve = u > 0.4142135623730951
    v = 0.5 * (u - 1) if halve else u
    s = v / (2 + v)
    q = s * s
    rest = fma(-s, v - 2 * q * _polynomial(_ARTANH, q), v)  # 2 s = v - s v
    return rest + (_LN2_HIGH if halve else 0.0)


@compiled
def softplus(z):
    """ln(1 + e^z) and sigmoid(z)."""
    decay = exp(-abs(z))
    return (z if z > 0 else 0.0) + log1p(decay), (1.0 if z > 0 else decay) / (1 + decay)


@compiled
def gelu(z):
    probability = 0.5 * (1 + math.erf(z * 0.7071067811865476))
    density = exp(-0.5 * z * z) * 0.3989422804014327
    return z * probability, fma(z, density, probability)


@compiled
def silu(z):
    _, s = softplus(z)
    return z * s, fma(z * s, 1 - s, s)


@compiled
def huber(z, h):
    slope = 0.0 if z < 0 else (1.0 if z > h else z / h)
    return (z - slope * (h / 2)) * slope, slope


@compiled
def _leaky(c, z, pair):
    value, slope = pair
    return fma(c, z, (1 - c) * value), fma(1 - c, slope, c)


@compiled
def _activate(kind, c, h, Z, values, slopes):
    """Values c z + (1 - c) phi(z) of the pre-activations Z, and slopes."""
    # One loop each: the vectoriser wants a straight line.
    if kind == _SOFTPLUS:
        for e in range(Z.size):
            values[e], slopes[e] = _leaky(c, Z[e], softplus(Z[e]))
    elif kind == _GELU:
        for e in range(Z.size):
            values[e], slopes[e] = _leaky(c, Z[e], gelu(Z[e]))
    elif kind == _SILU:
        for e in range(Z.size):
            values[e], slopes[e] = _leaky(c, Z[e], silu(Z[e]))
    else:
        for e in range(Z.size):
            values[e], slopes[e] = _leaky(c, Z[e], huber(Z[e], h))


@compiled
def _contract(head, values, f):
    """f = sum_j head_j values_j; values is (n, m, R), flat, since long loops suit the vector unit;
    f is (n, R)."""
    (n, R), m = f.shape, len(head)
    for i in range(n):
        for r in range(R):
            f[i, r] = 0
        for j in range(m):
            for r in range(R):
                f[i, r] = fma(head[j], values[(i * m + j) * R + r], f[i, r])


@compiled
def _lose(y, f, scalars):
    """Loss, margin and slope of the outputs f (n, R) in scalars (5, R); returns dL/df, (n, R)."""
    n, R = f.shape
    q, loss, slope = np.empty(n * R), np.empty(n * R), np.empty(n * R)
    for i in range(n):
        for r in range(R):
            q[i * R + r] = y[i] * f[i, r]
    for e in range(n * R):
        loss[e], slope[e] = softplus(-q[e])
    for r in range(R):
        scalars[0, r], scalars[1, r], scalars[4, r] = 0, np.inf, 0
    for i in range(n):
        for r in range(R):
            scalars[0, r] += loss[i * R + r]
            scalars[4, r] += slope[i * R + r]
            # A nan must win, and stay.
            if q[i * R + r] < scalars[1, r] or q[i * R + r] != q[i * R + r]:
                scalars[1, r] = q[i * R + r]
    for r in range(R):
        scalars[0, r] /= n
        scalars[4, r] /= n
    for i in range(n):
        for r in range(R):
            slope[i * R + r] *= -y[i] / n
    return slope.reshape(n, R)


@compiled
def _pull(head, pull, D):
    """Turn slopes D (n, m, R), flat, into dL/dZ by pull, dL/df (n, R)."""
    (n, R), m = pull.shape, len(head)
    for i in range(n):
        for j in range(m):
            for r in range(R):
                D[(i * m + j) * R + r] *= head[j] * pull[i, r]


_vector, _matrix, _cube = types.float64[::1], types.float64[:, ::1], types.float64[:, :, ::1]
_activation_types = (types.int64, types.float64, types.float64)


@njit(
    [
        (*_activation_types, v, v, v, v, v, types.float64[:, :])
        for v in (_vector, types.float32[::1])
    ],
    cache=True,
    error_model="numpy",
)
def _differentiate_run(kind, c, h, head, y, Z, D, f, scalars):
    """One run's dL/dZ in D at Z, both (m, n), flat; its outputs f (n,), its scalars (5, 1).

    The samples have the place of the runs in the innermost axis, but for the loss.
    """
    n, values, outputs = len(y), np.empty_like(Z), np.empty(len(y))
    _activate(kind, c, h, Z, values, D)
    _contract(head, values, outputs.reshape(1, n))
    f[:] = outputs
    _pull(head, _lose(y, outputs.reshape(n, 1), scalars).reshape(1, n), D)


@njit(
    (
        *(*_activation_types, _vector, _vector),
        *(_matrix, _vector, _cube, _cube, _matrix, types.float64[:, :, :], types.int64),
    ),
    cache=True,
    error_model="numpy",
)
def _descend(kind, c, h, head, stepsizes, X, y, W, grad, f, series, updates):
    """Fill series (k, 5, R), each entry after `updates` (0 or 1) steps; move W, grad and f along.

    X (n, d), W and grad (d, m, R), f (n, R).
    """
    (n, d), (m, R) = X.shape, W.shape[1:]
    w, g = W.reshape(d, m * R), grad.reshape(d, m * R)
    flat_Z, flat_D, values = np.empty(n * m * R), np.empty(n * m * R), np.empty(n * m * R)
    Z, D = flat_Z.reshape(n, m * R), flat_D.reshape(n, m * R)
    for t in range(len(series)):
        scalars = series[t]
        if updates:
            for k in range(d):
                for j in range(0, m * R, R):
                    for r in range(R):
                        w[k, j + r] -= stepsizes[r] * g[k, j + r]

        for i in range(n):
            for e in range(m * R):
                Z[i, e] = X[i, 0] * w[0, e]
            for k in range(1, d):
                for e in range(m * R):
                    Z[i, e] = fma(X[i, k], w[k, e], Z[i, e])
        _activate(kind, c, h, flat_Z, values, flat_D)
        _contract(head, values, f)
        _pull(head, _lose(y, f, scalars), flat_D)
        for k in range(d):
            for e in range(m * R):
                g[k, e] = X[0, k] * D[0, e]
        for i in range(1, n):
            for k in range(d):
                for e in range(m * R):
                    g[k, e] = fma(X[i, k], D[i, e], g[k, e])

        for r in range(R):
            scalars[2, r], scalars[3, r] = 0, 0
        for k in range(d):
            for j in range(0, m * R, R):
                for r in range(R):
                    scalars[2, r] = fma(w[k, j + r], w[k, j + r], scalars[2, r])
                    scalars[3, r] = fma(g[k, j + r], g[k, j + r], scalars[3, r])
