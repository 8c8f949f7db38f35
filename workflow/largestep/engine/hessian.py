"""Products with the Hessian of the loss, at given weights."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from largestep.engine import gated
from largestep.engine.problem import Problem
from largestep.engine.products import matmul


class Hessian(ABC):
    """The Hessian of the mean loss at one point, as a linear map of flat weights (P,).

    layers: one (out, in) tensor per trained layer, in the problem's dtype and on its device. What
    does not depend on the vector is kept, and a batch of vectors is one call.
    """

    def __init__(self, layers: list[Tensor]):
        self.layers = layers
        self.size = sum(layer.numel() for layer in layers)

    @property
    @abstractmethod
    def finite(self) -> bool:
        """Whether all that a product is made of is."""

    @abstractmethod
    def product(self, v: Tensor) -> Tensor:
        """H v for one vector (P,), or for a batch (B, P)."""

    def matrix(self) -> Tensor:
        """H itself, (P, P): the products with all unit vectors at once."""
        return self.product(torch.eye(self.size).to(self.layers[0]))

    def _apart(self, v: Tensor) -> list[Tensor]:
        """Vectors layer by layer, (out, in) or (B, out, in) each."""
        parts = v.split([layer.numel() for layer in self.layers], dim=-1)
        return [p.unflatten(-1, w.shape) for p, w in zip(parts, self.layers, strict=True)]


class Layered(Hessian):
    """Of a network h -> phi(h W^T) layer by layer, by hand: half the time of `Differentiated`."""

    def __init__(self, problem: Problem, layers: list[Tensor]):
        super().__init__(layers)
        X, y = problem.X, problem.y
        self.matrices = list(layers)
        if problem.head is not None:  # a last layer that does not move
            self.matrices.append(problem.head[None])
        self.inputs, self.slopes, curvatures = [X], [], []
        for matrix in self.matrices[:-1]:
            Z = (self.inputs[-1] @ matrix.T).requires_grad_()
            value = problem.activation.value(Z)
            (slope,) = torch.autograd.grad(value.sum(), Z, create_graph=True)
            curvature = torch.zeros_like(slope)
            if slope.requires_grad:  # not where phi is piecewise linear
                (curvature,) = torch.autograd.grad(slope.sum(), Z)
            self.inputs.append(value.detach())
            self.slopes.append(slope.detach())
            curvatures.append(curvature)

        scale = problem.output_scale
        q = y * (scale * (self.inputs[-1] @ self.matrices[-1].T)[:, 0])
        slope, curvature = problem.loss.derivatives(q)
        self.loss_curvature = (scale**2 * curvature)[:, None]
        # dL/dZ of every layer, from the last; and dL/d(phi(Z)) phi''(Z).
        self.pulls, self.bends = [(-y * (scale * slope))[:, None]], []
        for k in reversed(range(len(curvatures))):
            behind = self.pulls[0] @ self.matrices[k + 1]
            self.pulls.insert(0, behind * self.slopes[k])
            self.bends.insert(0, behind * curvatures[k])

    @property
    def finite(self) -> bool:
        found = (*self.matrices, *self.inputs, *self.pulls, *self.bends)
        return all(bool(tensor.isfinite().all()) for tensor in found)

    def product(self, v: Tensor) -> Tensor:
        """H v: the derivative along v of both passes of the gradient."""
        moves = self._apart(v)
        if len(self.matrices) > len(moves):
            moves.append(torch.zeros_like(self.matrices[-1]))
        inputs, changes = [torch.zeros_like(self.inputs[0])], []  # of inputs, of Z
        for k, (h, matrix, move) in enumerate(zip(self.inputs, self.matrices, moves, strict=True)):
            change = matmul(h, move.mT)
            changes.append(change + inputs[k] @ matrix.T if k else change)
            if k < len(self.slopes):
                inputs.append(self.slopes[k] * changes[k])

        pull, found = self.loss_curvature * changes[-1], []
        for k in reversed(range(len(moves))):
            if k < len(self.layers):
                own = matmul(pull.mT, self.inputs[k])
                own = own + self.pulls[k].T @ inputs[k] if k else own
                found.insert(0, own.flatten(-2))
            if k:
                behind = pull @ self.matrices[k] + self.pulls[k] @ moves[k]
                pull = behind * self.slopes[k - 1] + self.bends[k - 1] * changes[k - 1]
        return torch.cat(found, dim=-1)


class Differentiated(Hessian):
    """Of a gated network, by differentiating its gradient automatically."""

    def __init__(self, problem: Problem, layers: list[Tensor]):
        super().__init__(layers)
        self.leaves = [layer.detach().clone().requires_grad_() for layer in layers]
        first, *later = self.leaves
        f = gated.outputs(problem.gate_slope, later, first @ problem.X.T)
        slope, curvature = problem.loss.derivatives(problem.y * f.detach())
        # To second order in f, the loss; it has the same gradient and Hessian at this point.
        loss = (-problem.y * slope * f + curvature * (f - f.detach()) ** 2 / 2).sum()
        self.gradient = torch.autograd.grad(loss, self.leaves, create_graph=True)

    @property
    def finite(self) -> bool:
        found = (*self.leaves, *self.gradient)
        return all(bool(tensor.isfinite().all()) for tensor in found)

    def product(self, v: Tensor) -> Tensor:
        """H v: the gradient of <grad L, v>."""
        found = torch.autograd.grad(
            self.gradient,
            self.leaves,
            self._apart(v),
            retain_graph=True,
            is_grads_batched=v.dim() > 1,
        )
        return torch.cat([part.flatten(-2) for part in found], dim=-1)


def hessian_at(problem: Problem, layers: list[Tensor]) -> Hessian:
    """The Hessian of the problem's kind of network."""
    return (Layered if problem.gate_slope is None else Differentiated)(problem, layers)


class Condensed(NamedTuple):
    """A problem whose first layer is in coordinates of the samples' span, where n < d.

    With X^T = Q R, the outputs W X^T = (W Q) R know W (m, d) only by W Q (m, n): the Hessian for
    samples R^T, at W Q and the later layers, has all eigenvalues but m (d - n) zeros.

    problem: X (n, min(n, d)); basis: Q (d, n), its columns orthonormal, or None where n >= d.
    """

    problem: Problem
    basis: Tensor | None

    @classmethod
    def of(cls, problem: Problem) -> "Condensed":
        n, d = problem.X.shape
        if n >= d:
            return cls(problem, None)
        Q, R = torch.linalg.qr(problem.X.T)
        return cls(replace(problem, X=R.T.contiguous(), test=None), Q)

    def hessian(self, layers: list[Tensor]) -> tuple[Hessian, int]:
        """The Hessian at layers (out, in) of the whole problem, in the span's coordinates; and how
        many eigenvalues of 0 it has beside."""
        if self.basis is None:
            return hessian_at(self.problem, layers), 0
        first, *later = layers
        inside = first @ self.basis
        return hessian_at(self.problem, [inside, *later]), first.numel() - inside.numel()
