"""The passes of small two-layer nets, compiled: every operation in a fixed order.

Every operation is an IEEE operation (`method.compiled`). So a run's numbers depend neither on its
neighbours, nor on its place among them, nor on the processor.

The functions are written for any activation, any loss and any number of runs: `activation`, `loss`,
`lanes` and `widened` are names to which `specialised` gives a meaning before numba compiles them.
"""

from collections.abc import Callable, Iterable
from functools import partial
from types import FunctionType

import numpy as np
from numba import njit, types
from torch import Tensor

from largestep.common.fingerprint import fingerprint
from largestep.engine.problem import Problem
from largestep.method.compiled import compiled, fma


def descender(problem: Problem, runs: int) -> Callable:
    """`_descend` for the problem's activation and loss, and so many runs."""
    return specialised(problem, _descend, _DESCEND, alone=runs == 1)


def differentiator(problem: Problem) -> Callable[[Tensor, Tensor, Tensor, Tensor], None]:
    """What `networks.TwoLayer` does between products by weights, compiled."""
    run = specialised(problem, _differentiate_run, _DIFFERENTIATE)
    network = (problem.activation.numbers, problem.head.numpy(), problem.y.numpy())

    def differentiate(Z: Tensor, D: Tensor, f: Tensor, scalars: Tensor) -> None:
        """D = dL/dZ at Z, both (R, m, n); f (R, n); loss, margin and slope in scalars (5, R)."""
        arrays, found = (Z.numpy(), D.numpy(), f.numpy()), scalars.numpy()
        for r, (z, d, outputs) in enumerate(zip(*arrays, strict=True)):
            run(*network, z.reshape(-1), d.reshape(-1), outputs, found[:, r : r + 1])

    return differentiate


def strider(problem: Problem, *moved: Tensor) -> Callable[[Tensor], None]:
    """The same by the Gram matrix: `_stride` on the tensors that it moves, which stay in place."""
    run = specialised(problem, _stride, _STRIDE)
    tensors = (problem.head, problem.y, *moved)
    stride = partial(run, problem.activation.numbers, *(tensor.numpy() for tensor in tensors))
    return lambda scalars: stride(scalars.numpy())


_cache: dict[tuple, Callable] = {}


@compiled
def _any(runs):
    return runs


@compiled
def _one(runs):
    """A constant: the loops over runs vanish, and those around them become vector loops."""
    return 1


@compiled
def _as_it_is(z):
    return z


def specialised(
    problem: Problem, function: FunctionType, signatures: Iterable[tuple], alone: bool = False
) -> Callable:
    """A function with parts from below, compiled for the problem's activation and loss.

    signatures: numba's types of the arguments, but for the first, the activation's numbers.
    alone: for one run where there may be several.

    numba keeps the result on disk by the function's name and this file's date, and links what it
    finds there by the names of the functions inside; every name therefore tells the activation, the
    loss and the code of both. Two functions of one name become one where both come from the disk.
    """
    key = (function, type(problem.activation), type(problem.loss), alone)
    if key not in _cache:
        modules = (part.__module__.partition(".")[2] for part in key[:3])
        code = fingerprint(*modules)
        suffix = f"{problem.activation.name}_{problem.loss.name}_{code}" + "_alone" * alone
        names = {
            "activation": problem.activation.scalar(),
            "loss": problem.loss.scalar(),
            "lanes": _one if alone else _any,
            "widened": _as_it_is if problem.activation.follows else np.float64,
        }
        for part in (activate, _contract, lose, _pull):
            names[part.__name__] = compiled(_renamed(part, suffix, **names))
        signature = [(_numbers(problem.activation.numbers), *each) for each in signatures]
        made = njit(signature, cache=True, error_model="numpy")
        _cache[key] = made(_renamed(function, suffix, **names))
    return _cache[key]


def _renamed(function: FunctionType, suffix: str, **names: Callable) -> FunctionType:
    """The same code with other meanings of some global names, under a name of its own."""
    made = FunctionType(function.__code__, function.__globals__ | names, function.__name__)
    made.__qualname__ = f"{function.__name__}_{suffix}"
    return made


def _numbers(values: tuple[float, ...]):
    return types.UniTuple(types.float64, len(values)) if values else types.Tuple(())


def activate(numbers, Z, values, slopes):
    """Values phi(z) of the pre-activations Z, and slopes."""
    for e in range(Z.size):
        # Widened here: where the function does it, numba finds no vector form of this loop.
        values[e], slopes[e] = activation(widened(Z[e]), *numbers)  # noqa: F821


def _contract(head, values, f):
    """f = sum_j head_j values_j; values is (n, m, R), flat, since long loops suit the vector unit;
    f is (n, R)."""
    n, m, R = len(f), len(head), lanes(f.shape[1])  # noqa: F821
    for i in range(n):
        for r in range(R):
            f[i, r] = 0
        for j in range(m):
            for r in range(R):
                f[i, r] = fma(head[j], values[(i * m + j) * R + r], f[i, r])


def lose(y, f, scalars, scratch):
    """Loss, margin and slope of the outputs f (n, R) in scalars (5, R); returns dL/df, (n, R).

    scratch: (3, n * R), of which the result is a part.
    """
    n, R = len(f), lanes(f.shape[1])  # noqa: F821
    q, losses, slope = scratch[0], scratch[1], scratch[2]
    for i in range(n):
        for r in range(R):
            q[i * R + r] = y[i] * f[i, r]
    for e in range(n * R):
        losses[e], slope[e] = loss(q[e])  # noqa: F821
    for r in range(R):
        scalars[0, r], scalars[1, r], scalars[4, r] = 0, np.inf, 0
    for i in range(n):
        for r in range(R):
            scalars[0, r] += losses[i * R + r]
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


def _pull(head, pull, D):
    """Turn slopes D (n, m, R), flat, into dL/dZ by pull, dL/df (n, R)."""
    n, m, R = len(pull), len(head), lanes(pull.shape[1])  # noqa: F821
    for i in range(n):
        for j in range(m):
            for r in range(R):
                D[(i * m + j) * R + r] *= head[j] * pull[i, r]


def _differentiate_run(numbers, head, y, Z, D, f, scalars):
    """One run's dL/dZ in D at Z, both (m, n), flat; its outputs f (n,), its scalars (5, 1).

    The samples have the place of the runs in the innermost axis, but for the loss.
    """
    n, values, outputs = len(y), np.empty_like(Z), np.empty(len(y))
    activate(numbers, Z, values, D)
    _contract(head, values, outputs.reshape(1, n))
    f[:] = outputs
    _pull(head, lose(y, outputs.reshape(n, 1), scalars, np.empty((3, n))).reshape(1, n), D)


def _stride(numbers, head, y, step, change, Z0, Z, C, D, f, scalars):
    """Take the step from the point that change and D belong to; then dL/dZ at the new one in D,
    outputs in f (R, n), loss, margin and slope in scalars (5, R), and <C, Z0 + Z>.

    step (R,), spent afterwards; all else (R, m, n). A run's rows pass through the cache once, and
    once more for the factor dL/df. Rounded to the dtype of the arrays where they are written.
    """
    R, m, n = Z.shape
    values, outputs, products = np.empty(n), np.empty(n), np.empty(n)
    scratch = np.empty((3, n))
    for r in range(R):
        outputs[:] = 0
        products[:] = 0
        for j in range(m):
            # Loops over few arrays each, of which LLVM can tell that they do not overlap.
            c, d, z, g, z0 = C[r, j], D[r, j], Z[r, j], change[r, j], Z0[r, j]
            for i in range(n):
                c[i] = np.float64(c[i]) + step[r] * np.float64(d[i])
            for i in range(n):
                z[i] = np.float64(z[i]) - step[r] * np.float64(g[i])
            for i in range(n):
                ends = np.float64(z0[i]) + np.float64(z[i])
                products[i] = fma(np.float64(c[i]), ends, products[i])
            activate(numbers, z, values, d)
            for i in range(n):
                outputs[i] = fma(head[j], values[i], outputs[i])
        f[r] = outputs
        step[r], scalars[2, r] = 0, 0
        for i in range(n):
            scalars[2, r] += products[i]
        pull = lose(y, outputs.reshape(n, 1), scalars[:, r : r + 1], scratch)
        _pull(head, pull.reshape(1, n), D[r].reshape(-1))


def _descend(numbers, head, stepsizes, X, y, W, grad, f, series):
    """Fill series (k, 5, R), each entry after a step; move W, grad and f along.

    stepsizes (k, R), or (0, R) for no step at all; X (n, d), W and grad (d, m, R), f (n, R). W may
    be in float32, to which it is then rounded after each step; all else is in float64.
    """
    (n, d), m, R = X.shape, W.shape[1], lanes(W.shape[2])  # noqa: F821
    w, g = W.reshape(d, m * R), grad.reshape(d, m * R)
    eta = np.empty(R)
    flat_Z, flat_D, values = np.empty(n * m * R), np.empty(n * m * R), np.empty(n * m * R)
    Z, D = flat_Z.reshape(n, m * R), flat_D.reshape(n, m * R)
    scratch = np.empty((3, n * R))
    for t in range(len(series)):
        scalars = series[t]
        if len(stepsizes):
            for r in range(R):
                eta[r] = stepsizes[t, r]
            for k in range(d):
                for j in range(0, m * R, R):
                    for r in range(R):
                        w[k, j + r] = np.float64(w[k, j + r]) - eta[r] * g[k, j + r]

        for i in range(n):
            for e in range(m * R):
                Z[i, e] = X[i, 0] * np.float64(w[0, e])
            for k in range(1, d):
                for e in range(m * R):
                    Z[i, e] = fma(X[i, k], np.float64(w[k, e]), Z[i, e])
        activate(numbers, flat_Z, values, flat_D)
        _contract(head, values, f)
        _pull(head, lose(y, f, scalars, scratch), flat_D)
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
                    weight = np.float64(w[k, j + r])
                    scalars[2, r] = fma(weight, weight, scalars[2, r])
                    scalars[3, r] = fma(g[k, j + r], g[k, j + r], scalars[3, r])


_vector, _matrix, _cube = types.float64[::1], types.float64[:, ::1], types.float64[:, :, ::1]

#: Signatures, but for the activation's numbers in front.
_DIFFERENTIATE = [(v, v, v, v, v, types.float64[:, :]) for v in (_vector, types.float32[::1])]
_STRIDE = [
    (v[::1], v[::1], _vector, *5 * (v[:, :, ::1],), v[:, ::1], types.float64[:, :])
    for v in (types.float64, types.float32)
]
_DESCEND = [
    (
        *(_vector, types.float64[:, :], _matrix, _vector),
        *(weights, _cube, _matrix, types.float64[:, :, :]),
    )
    for weights in (_cube, types.float32[:, :, ::1])
]
