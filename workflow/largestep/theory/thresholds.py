"""Constants, thresholds and bounds of the paper's theorems, with their hypotheses.

Notation: the two-layer net f(w; x) = sum_j c_j phi(x . w_j) with fixed c, |c|_1 = sum_j |c_j|
(1 for the paper's c_j = a_j / m), the step taken `stepsize` = eta_tilde = m eta, R the largest
||x_i||, and Lip, B, kappa, alpha of phi as in `method.activations`. The paper states its
results for c_j = +-1/m; the forms for general c are derived, in docs/proofs.md.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Smoothness:
    """Constants of f over all weights and samples (derived; the paper's for c_j = +-1/m).

    rho2 = sup ||grad f||^2 = Lip^2 R^2 |c|_2^2, beta = sup ||hessian f|| = B R^2 max |c_j| and
    kappa = sup |f - <grad f, w>| = kappa(phi) |c|_1.
    """

    rho2: float
    beta: float
    kappa: float


def smoothness(model, X: np.ndarray) -> Smoothness | None:
    """Constants of the network on inputs X, shape (n, d); None for an MLP, which has none.

    An MLP trains every layer, so its gradient is unbounded and Theorem 2.2 does not apply.
    """
    if model.head is None:
        return None
    phi, c = model.activation.constants(), np.abs(model.head)
    radius2 = float(np.max(np.einsum("ij,ij->i", X, X, dtype=np.float64)))
    return Smoothness(
        rho2=phi.lip**2 * radius2 * float(c @ c),
        beta=phi.curvature * radius2 * float(c.max()),
        kappa=phi.kappa * float(c.sum()),
    )


def stable_threshold(model, X: np.ndarray, stepsize: float) -> float | None:
    """Theorem 2.2 (paper): the stable phase starts once the loss is at most this number.

    min{1 / (2 e^(kappa+2) n), 1 / ((4 rho^2 + 2 beta) stepsize)}; None where the theorem's
    hypotheses fail (an MLP, or an activation whose slope jumps).
    """
    f = smoothness(model, X)
    if f is None:
        return None
    by_samples = 1 / (2 * math.exp(f.kappa + 2) * len(X))
    if not math.isfinite(f.beta):
        return None
    by_step = 1 / ((4 * f.rho2 + 2 * f.beta) * stepsize)
    return min(by_samples, by_step)
