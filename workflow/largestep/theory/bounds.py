"""Theorems 3.2 and 4.1 in the rigorous forms that docs/proofs.md derives.

They speak of linearly separable data and a two-layer net with alpha = inf phi' > 0, and hold for
every stepsize. In the paper's setting, c_j = a_j / m and stepsize = m eta.
"""

import math
from dataclasses import dataclass

import numpy as np

from largestep.theory.thresholds import Smoothness, smoothness


@dataclass(frozen=True)
class Separable:
    """Constants of a two-layer net on separable data.

    push = alpha gamma |c|_1: along w_j = sign(c_j) u, with u the unit vector of margin gamma, every
    y_i f(x_i) has at least this slope. turn = R^2 Lip |c|_2 / (2 gamma): how much farther out,
    per stepsize, a comparator must be to make up for ||grad L||^2. kappa as in
    `thresholds.Smoothness`; m neurons.
    """

    push: float
    turn: float
    kappa: float
    m: int


@dataclass(frozen=True)
class PaperNet:
    """What Theorem 4.1 states its constants in: of phi, of the data, and m neurons."""

    alpha: float
    kappa: float
    curvature: float
    gamma: float
    m: int


def separable(model, X: np.ndarray, gamma: float) -> Separable | None:
    """The constants; None where the theorems' hypotheses fail (an MLP, or alpha <= 0)."""
    f = smoothness(model, X)
    if f is None or (phi := model.activation.constants()).alpha <= 0:
        return None
    turn = f.rho2 / (2 * gamma * phi.lip * float(np.linalg.norm(model.head)))
    return Separable(phi.alpha * gamma * float(np.abs(model.head).sum()), turn, f.kappa, model.m)


def mean_loss(net: Separable, stepsize: float, start_norm: float, steps: np.ndarray) -> np.ndarray:
    """Theorem 3.2: a bound on mean_{k<t} L(w_k) for each t >= 1 in `steps`.

    min over b >= 0 of ln(1 + e^(kappa - push b)) + (A + sqrt(m) b)^2 / (2 stepsize t) with
    A = ||w_0|| + stepsize turn. Every b gives a bound; the best is where the derivative, which
    increases in b, vanishes.
    """
    t = np.asarray(steps, dtype=np.float64)
    root, first = math.sqrt(net.m), start_norm + stepsize * net.turn

    def pull(b):  # derivative of the second term
        return root * (first + root * b) / (stepsize * t)

    low, high = np.zeros_like(t), np.maximum(net.kappa + np.log(net.push / pull(0)), 0) / net.push
    for _ in range(60):
        b = (low + high) / 2
        below = pull(b) * (1 + np.exp(net.push * b - net.kappa)) < net.push
        low, high = np.where(below, b, low), np.where(below, high, b)
    return np.logaddexp(0, net.kappa - net.push * low) + (first + root * low) ** 2 / (
        2 * stepsize * t
    )


def closed_mean_loss(net: PaperNet, eta: float, start_norm: float, steps: np.ndarray) -> np.ndarray:
    """Theorem 3.2 as the paper has it: never below `mean_loss`, in its normalization."""
    t = np.asarray(steps, dtype=np.float64)
    logs = 8 * (np.log(net.gamma**2 * eta * t) ** 2 + net.kappa**2) / net.alpha**2
    return (1 + logs + eta**2) / (net.gamma**2 * eta * t) + start_norm**2 / (net.m * eta * t)


def slope_sum(net: Separable, stepsize: float, displacement: np.ndarray) -> np.ndarray:
    """Theorem 4.1's count: a bound on sum_{k<t} G_k, G = mean_i |l'|, from ||w_t - w_0||."""
    return math.sqrt(net.m) * np.asarray(displacement) / (stepsize * net.push)


def transition_step(net: Separable, stepsize: float, start_norm: float, threshold: float) -> float:
    """A step by which some loss has been at most `threshold`, known before training.

    Theorem 3.2 bounds the mean loss by the threshold from there on. Found on a grid of steps, so
    up to 9% late; inf where it is beyond 2^128.
    """
    steps = np.ceil(2 ** np.arange(0, 128, 1 / 8))
    enough = mean_loss(net, stepsize, start_norm, steps) <= threshold
    return float(steps[enough.argmax()]) if enough.any() else math.inf


def phase_constants(model, X: np.ndarray) -> tuple[float, float]:
    """Theorem 4.1's c1 = (4 Lip^2 + 2 B) R^2, which goes with eta, and c2 = 2 e^(kappa+2), with n.

    So the proof pairs them (Appendix C.1, with twice both and the names exchanged); two terms of
    the theorem as printed, and the poster, have them swapped. Two-layer nets only.
    """
    f = smoothness(model, X)
    return (4 * f.rho2 + 2 * f.beta) * model.m, 2 * math.exp(f.kappa + 2)


def phase_time(model, X: np.ndarray, eta: float) -> float:
    """Theorem 4.1's tau, up to its constant: max{c1 eta, c2 n, (c2 n / eta) ln(c2 n / eta)}."""
    c1, c2 = phase_constants(model, X)
    samples = c2 * len(X)
    return max(c1 * eta, samples, samples / eta * math.log(samples / eta))


def latest_transition(net: PaperNet, n: int, eta: float, start_norm: float) -> float:
    """Theorem 4.1's tau with its constants, as Appendix C.1 derives it; some s <= tau exists."""
    by_step, by_samples = (8 + 4 * net.curvature) * eta, 4 * math.exp(net.kappa + 2) * n
    both = (by_step + by_samples) / eta
    most = max(by_step, by_samples, math.e, both * math.log(both))
    most = max(most, both * start_norm / math.sqrt(net.m))
    return 128 * (1 + 4 * net.kappa) / (net.alpha * net.gamma) ** 2 * most


def late_loss(net: PaperNet, eta: float, elapsed: np.ndarray) -> np.ndarray:
    """Theorem 4.1's second part: the loss is at most this `elapsed` >= 1 steps after s."""
    return 2 / ((net.alpha * net.gamma) ** 2 * eta * np.asarray(elapsed, dtype=np.float64))


def modified_margin(
    f: Smoothness, n: int, stepsize: float, loss: np.ndarray, norm: np.ndarray
) -> np.ndarray:
    """The logarithm of gamma^c, (10) in Appendix A.3: by Theorem 2.2 it increases from s on."""
    excess = -np.log(2 * n * loss) - f.kappa
    return np.log(excess) - (1 + (4 * f.rho2 + 2 * f.beta) * stepsize) / excess - np.log(norm)


def gamma_b_fall(
    f: Smoothness,
    n: int,
    stepsize: float,
    threshold: float,
    steps: np.ndarray,
    loss: np.ndarray,
    norm: np.ndarray,
) -> float:
    """How far gamma_b = (ln(1/(n L)) - kappa) / ||w|| can fall in the stable phase, relatively.

    steps counts from the phase's first step, where the loss is at most `threshold`; loss and norm
    belong to steps. Without corrections gamma_b could not fall at all: a step raises
    ln gamma_b by at least (1 - e1) (1 - e2) (1 - e3) - 1 times its growth of ln ||w||, with
    e1 from the loss's curvature along the step, e2 from the logistic loss not being exponential,
    e3 from ||grad L||^2 stepsize^2 in ||w||^2. All three shrink with the loss, so that a
    stretch between recorded steps is bounded by the values at its beginning.
    """
    # No step is longer than stepsize rho L, which bounds ||w|| at the phase's first step.
    first = norm[0] - steps[0] * stepsize * math.sqrt(f.rho2) * threshold
    if first <= 0:
        return math.inf
    norms, losses = np.append(first, norm), np.append(threshold, loss[:-1])
    size, grown = norms[:-1], norms[1:]
    excess = -np.log(n * losses) - f.kappa
    e1 = math.exp(0.25) / 2 * stepsize * (f.rho2 + f.beta) * losses
    keep = (1 - e1) * (1 - n * losses / 2) * (1 - n * losses / excess)
    keep *= 1 - stepsize * losses * excess / (2 * size**2 * (1 - e1))
    return float(np.sum((1 - keep) * (grown**2 - size**2) / (2 * size**2)))


def loss_bracket(
    f: Smoothness, n: int, stepsize: float, steps: np.ndarray, loss: np.ndarray, norm: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds on 1/L in the stable phase, both linear in t: L = Theta(1/t).

    From the first of the recorded steps on, 1/L grows per step by at most 2 stepsize rho^2, since
    ||grad L|| <= rho L, and by at least (stepsize / 2) (||grad L|| / L)^2, where
    ||grad L|| / L >= (1 - n L / 2) (1 - n L / (||w|| gamma_b)) gamma_b.
    """
    excess = -np.log(n * loss) - f.kappa
    gradient = (1 - n * loss / 2) * (1 - n * loss / excess) * excess / norm
    least = stepsize / 2 * np.minimum.accumulate(gradient) ** 2
    elapsed = steps - steps[0]
    return 1 / loss[0] + least * elapsed, 1 / loss[0] + 2 * stepsize * f.rho2 * elapsed
