"""Weights and gradients in three norms, and what tells how far they are from a KKT point.

Of min ||w||_p subject to y_i f(w; x_i) >= 1. From these numbers follow the margin in every norm and
the alignment <-grad L, w> / (||grad L||_q ||w||_p) with the dual norm q, which is 1 at a KKT point,
where the complementary slackness is 0 (Tsilivis, Vardi, Kempe; these measures are derived).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from largestep.engine.first_layer import inner
from largestep.engine.networks import network
from largestep.engine.problem import SCALARS, Problem
from largestep.method.directions.direction import Direction
from largestep.method.point import Point

#: The norms beside the Euclidean one, which every row of a run has, by their columns' suffix.
_NORMS = {"l1": 1.0, "linf": math.inf}

#: Points that are measured together.
_TOGETHER = 32


def geometry(
    problem: Problem, weights: list[Tensor], direction: Direction, stepsize: float | None
) -> dict[str, Tensor]:
    """Of P points, (P,) float64 each: `slackness`, `pull` (<-grad L, w>), `norm_l1`, `norm_linf`,
    `grad_norm_l1`, `grad_norm_linf`, and `next_loss`, the loss after a step from there; nan for a
    direction that remembers, and without a stepsize.

    weights: one (P, out, in) tensor per layer, in the problem's dtype. slackness: the mean of
    q_i / min_j q_j - 1, q_i = y_i f(x_i), weighted by -l'(q_i); nan unless all q_i are positive.
    """
    parts = [
        _measured(problem, [layer[k : k + _TOGETHER] for layer in weights], direction, stepsize)
        for k in range(0, len(weights[0]), _TOGETHER)
    ]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _measured(problem, weights, direction, stepsize) -> dict[str, Tensor]:
    net = network(problem, by_gram=False)(problem, weights)
    scalars = weights[0].new_empty(len(SCALARS), len(weights[0]), dtype=torch.float64)
    net.measure(scalars)
    gradients = [gradient.clone() for gradient in net.gradients()]
    q = (problem.y * net.f).double()
    _, weight = problem.loss.value_and_slope(q)
    margin = torch.where(scalars[1] > 0, scalars[1], torch.nan)[:, None]
    found = {
        "slackness": (weight * (q / margin - 1)).sum(1) / weight.sum(1),
        "pull": -sum(map(inner, gradients, weights)),
        **{f"norm_{name}": _norm(weights, p) for name, p in _NORMS.items()},
        **{f"grad_norm_{name}": _norm(gradients, p) for name, p in _NORMS.items()},
    }
    if stepsize is None or direction.remembers:
        return found | {"next_loss": torch.full_like(scalars[0], torch.nan)}
    moves = direction.move(gradients, Point(torch.zeros_like(scalars[0]), *scalars), {})
    net.move(moves, torch.full_like(net.f[:, :1, None], stepsize))
    return found | {"next_loss": net.loss()}


def _norm(tensors: Sequence[Tensor], p: float) -> Tensor:
    """The p-norm of all entries of each point's tensors, (P,)."""
    flat = torch.cat([tensor.flatten(1) for tensor in tensors], dim=1).double()
    return torch.linalg.vector_norm(flat, ord=p, dim=1)
