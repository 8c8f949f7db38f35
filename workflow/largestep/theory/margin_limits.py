"""Limits of the normalized margin, computed for data of a few points; figures draw them as lines.

All values are derived. At large weights a two-layer net with one of our activations behaves
like its homogeneous part, phi(z) = z for z > 0 and c z below (c = 0 where the activation is not
leaky), and the limit of min_i y_i f(x_i) / ||w|| is a property of the direction of w alone.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from largestep.theory.hard_margin import hard_margin

_MOST_PATTERNS = 2**12


@dataclass(frozen=True)
class Reference:
    """A value, its name in words, its line's dashes, and the side on which the name stands."""

    label: str
    value: float
    dashes: str = "--"
    above: bool = True


def normalized_margin(dataset, model) -> list[Reference]:
    """What a network's normalized margin on a data set can be compared with; mostly nothing."""
    known = {"five_points": _five_points}.get(dataset.source)
    return known(dataset, model) if known else []


def _five_points(dataset, model) -> list[Reference]:
    """The linear problem's margin, which a two-layer net cannot reach, and the net's own limits."""
    if model.head is None:
        return []
    head, leak = model.head, getattr(model.activation, "c", 0.0)
    X, y = dataset.points()
    margin, direction = hard_margin(X, y)
    along = homogeneous_margin(np.outer(np.sign(head), direction), head, leak, X, y)
    lines = [
        Reference("linear max-margin", margin, above=False),
        Reference(r"network, $\pm e_1$", along, dashes=":", above=False),
    ]
    if 2 ** (len(y) * len(head)) <= _MOST_PATTERNS:
        best = largest_margin(head, leak, X, y)
        lines.append(Reference("network, best", best))
    return lines


def homogeneous_margin(
    W: np.ndarray, head: np.ndarray, leak: float, X: np.ndarray, y: np.ndarray
) -> float:
    """The normalized margin that weights s W, shape (m, d), tend to as s grows."""
    Z = X @ W.T
    return float((y * (np.where(Z > 0, Z, leak * Z) @ head)).min() / np.linalg.norm(W))


def largest_margin(head: np.ndarray, leak: float, X: np.ndarray, y: np.ndarray) -> float:
    """The largest value of `homogeneous_margin` over all W; exact, in 2^(n m) small problems.

    Once it is fixed which z_ij = x_i . w_j are positive, the outputs are linear in W, and the
    margin is 1 / ||W|| for the smallest W with y_i f(x_i) >= 1 and z_ij of the fixed signs.
    """
    (n, d), m = X.shape, len(head)
    best = 0.0
    for pattern in product((True, False), repeat=n * m):
        positive = np.reshape(pattern, (n, m))
        slopes = head * np.where(positive, 1.0, leak)
        outputs = y[:, None] * np.einsum("ij,ik->ijk", slopes, X).reshape(n, m * d)
        signs = np.where(positive, 1.0, -1.0)[:, :, None, None] * np.eye(m)[None, :, :, None]
        sides = (signs * X[:, None, None, :]).reshape(n * m, m * d)
        norm = _least_norm(np.vstack([outputs, sides]), np.repeat([1.0, 0.0], [n, n * m]))
        best = max(best, 1 / norm)
    return best


def _least_norm(G: np.ndarray, h: np.ndarray) -> float:
    """min ||x|| subject to G x >= h, inf if nothing satisfies it.

    Least distance programming (Lawson and Hanson, Solving Least Squares Problems, 23.4).
    """
    from scipy.optimize import nnls

    E = np.vstack([G.T, h])
    target = np.eye(len(E))[-1]
    u, _ = nnls(E, target)
    r = E @ u - target
    return float(np.linalg.norm(r[:-1]) / -r[-1]) if r[-1] < -1e-9 else np.inf
