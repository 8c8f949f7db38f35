"""Sharpness: the largest eigenvalues of the Hessian of the loss, at given weights."""

import numpy as np
import torch

from largestep.engine.hessian import Hessian

#: Weights of a Hessian up to which the whole matrix is made: a tiny network's, exact and cheap.
WHOLE = 128

#: Lanczos vectors kept: a small basis ends early where one eigenvalue stands out, as it does here.
_BASIS = 8


def top_eigenvalues(
    hessian: Hessian, count: int, tolerance: float, products: int, zeros: int = 0
) -> np.ndarray:
    """The `count` largest eigenvalues, the largest first, (count,) float64.

    zeros: eigenvalues of 0 that there are beside the Hessian's (`hessian.Condensed`).

    Small networks exactly, others by Lanczos (ARPACK): each value lies within `tolerance` times
    itself of an eigenvalue. nan where the weights are not finite, where there are fewer
    eigenvalues, or where `products` Hessian-vector products did not reach the tolerance.
    """
    found = np.full(count, np.nan)
    if not hessian.finite:
        return found
    if hessian.size <= WHOLE:
        values = np.linalg.eigvalsh(hessian.matrix().cpu().numpy())[::-1][:count]
    else:
        values = _lanczos(hessian, count, tolerance, products)
    if len(values):
        values = with_zeros(values, min(zeros, count))[:count]
    found[: len(values)] = values
    return found


def with_zeros(values: np.ndarray, zeros: int) -> np.ndarray:
    """Values (k,) and as many zeros, descending, (k + zeros,)."""
    return np.sort(np.append(values, np.zeros(zeros)))[::-1]


def _lanczos(hessian: Hessian, count: int, tolerance: float, products: int) -> np.ndarray:
    """Descending; empty where the budget ran out."""
    # A tiny network does without it, and it takes .3 s to import.
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    def multiply(v: np.ndarray) -> np.ndarray:
        return hessian.product(torch.as_tensor(v.ravel()).to(hessian.layers[0])).cpu().numpy()

    # The same start everywhere, and a random one: it must not share a symmetry of the weights.
    rng = np.random.default_rng(0)
    start = rng.standard_normal(hessian.size)
    # ARPACK's tolerance is absolute below 4e-11, where sharpness is late in a run: hence a scale.
    scale = np.abs(multiply(start)).max()
    if not scale:
        return np.zeros(count)
    basis = max(_BASIS, 2 * count + 1)
    try:
        values = eigsh(
            LinearOperator(2 * (hessian.size,), lambda v: multiply(v) / scale, dtype=np.float64),
            k=count,
            which="LA",  # a saddle's largest in modulus may be negative
            v0=start,
            ncv=basis,
            maxiter=max(1, (products - 1 - basis) // (basis - count)),
            tol=tolerance,
            return_eigenvectors=False,
            rng=rng,
        )
    except ArpackNoConvergence:
        return np.empty(0)
    return scale * np.sort(values)[::-1]
