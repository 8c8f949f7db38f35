"""Products with the Hessian of the loss, at given weights."""

import torch
from torch import Tensor

from largestep.engine.problem import Problem


class Hessian:
    """The Hessian of the mean loss at one point, as a linear map of flat weights.

    layers: one (out, in) tensor per trained layer, in the problem's dtype and on its device. What
    does not depend on the vector is kept: a product then takes half the time of automatic
    differentiation, and a batch of vectors is one call.
    """

    def __init__(self, problem: Problem, layers: list[Tensor]):
        X, y = problem.X, problem.y
        self.shapes = [layer.shape for layer in layers]
        self.size = sum(layer.numel() for layer in layers)
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
        """H v for vectors (..., P): the derivative along v of both passes of the gradient."""
        parts = v.split([out * into for out, into in self.shapes], dim=-1)
        moves = [p.unflatten(-1, shape) for p, shape in zip(parts, self.shapes, strict=True)]
        if len(self.matrices) > len(moves):
            moves.append(torch.zeros_like(self.matrices[-1]))
        inputs, changes = [torch.zeros_like(self.inputs[0])], []  # of inputs, of Z
        for k, (h, matrix, move) in enumerate(zip(self.inputs, self.matrices, moves, strict=True)):
            change = h @ move.mT
            changes.append(change + inputs[k] @ matrix.T if k else change)
            if k < len(self.slopes):
                inputs.append(self.slopes[k] * changes[k])

        pull, found = self.loss_curvature * changes[-1], []
        for k in reversed(range(len(moves))):
            if k < len(self.shapes):
                own = pull.mT @ self.inputs[k]
                own = own + self.pulls[k].T @ inputs[k] if k else own
                found.insert(0, own.flatten(-2))
            if k:
                behind = pull @ self.matrices[k] + self.pulls[k] @ moves[k]
                pull = behind * self.slopes[k - 1] + self.bends[k - 1] * changes[k - 1]
        return torch.cat(found, dim=-1)

    def matrix(self) -> Tensor:
        """H itself, (P, P): the products with all unit vectors at once."""
        return self.product(torch.eye(self.size).to(self.matrices[0]))
