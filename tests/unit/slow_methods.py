"""Directions and stepsize policies, slow and obvious: one run, numpy, step by step."""

import math

import numpy as np


def flat(parts):
    return np.concatenate([part.ravel() for part in parts])


def apart(vector, like):
    ends = np.cumsum([part.size for part in like])[:-1]
    return [v.reshape(p.shape) for v, p in zip(np.split(vector, ends), like, strict=True)]


def sign(g, t, memory):
    return np.abs(g).sum() * np.sign(g)


def coordinate(g, t, memory):
    j = next(j for j in range(len(g)) if abs(g[j]) == np.abs(g).max())
    return np.where(np.arange(len(g)) == j, g, 0.0)


def adam(g, t, memory):
    m, v = memory.get("m", 0 * g), memory.get("v", 0 * g)
    memory["m"], memory["v"] = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    corrected = memory["m"] / (1 - 0.9 ** (t + 1)), memory["v"] / (1 - 0.999 ** (t + 1))
    return corrected[0] / (np.sqrt(corrected[1]) + 1e-8)


DIRECTIONS = {"gradient": lambda g, t, memory: g, "sign": sign, "coordinate": coordinate}
DIRECTIONS |= {"adam": adam}


def nesterov(loss_and_gradient, w, eta, steps, restart):
    """The method as it is usually written, with w and its look-ahead point y; losses at y."""
    y, k, losses = w, 1, []
    for _ in range(steps + 1):
        loss, g = loss_and_gradient(y)
        if restart and losses and loss > losses[-1]:
            w, k = y, 1
        losses.append(loss)
        after, k = y - eta * g, k + 1
        y, w = after + (k - 1) / (k + 2) * (after - w), after
    return losses


def descend(loss_and_gradient, w, direction, policy, numbers, steps, sharpness=None):
    """Losses at steps 0..steps, the stepsizes, and evaluations up to each step.

    sharpness: w -> lambda_max, for the policy that needs it.
    """
    memory, first = {}, numbers.get("stepsize", 1.0)
    losses, taken, evaluations, extra = [], [], [], 0
    for t in range(steps + 1):
        loss, g = loss_and_gradient(w)
        losses.append(loss)
        evaluations.append(t + 1 + extra)
        u = DIRECTIONS[direction](g, t, memory)
        norm = np.linalg.norm(g)
        if policy == "constant":
            eta = first
        elif policy == "inverse_sqrt":
            eta = first / math.sqrt(t + 1)
        elif policy == "logarithmic":
            eta = first * max(0, 1 - math.log(t + 1) / math.log(numbers["horizon"]))
        elif policy == "loss_normalized":
            eta = first / loss
        elif policy == "gradient_normalized":
            eta = first / norm
        elif policy == "polyak":
            eta = numbers.get("scale", 1) * loss / norm**2
        elif policy == "edge_of_stability":
            largest = sharpness(w)
            extra += min(numbers["products"], len(w))
            eta = first = 2 * numbers["c"] / largest if largest > 0 else first
        else:
            eta = first
            while True:
                there, _ = loss_and_gradient(w - eta * u)
                wanted = loss - 0.1 * eta * (g @ u)
                if there <= wanted if policy == "armijo" else there < loss:
                    break
                extra += 1
                eta *= 0.5
            first = 2 * eta
        taken.append(eta)
        w = w - eta * u
    return losses, taken, evaluations
