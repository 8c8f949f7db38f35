"""Sharpness: the largest eigenvalues of the Hessian of the loss, at given weights."""

import numpy as np
import torch
from torch import Tensor

from largestep.method.losses.loss import Loss
from largestep.method.models.model import Model

#: Weights up to which the whole matrix is made: a tiny network's, exact and cheap.
WHOLE = 128

#: Lanczos vectors kept: a small basis ends early where one eigenvalue stands out, as it does here.
_BASIS = 8


class Hessian:
    """The Hessian of the mean loss at one point, as a linear map of flat weights.

    X (n, d) and y (n,); layers: one (out, in) tensor per trained layer; all in one dtype, on one
    device. What does not depend on the vector is kept: a product then takes half the time of
    automatic differentiation, and a batch of vectors is one call.
    """

    def __init__(self, model: Model, loss: Loss, X: Tensor, y: Tensor, layers: list[Tensor]):
        self.shapes = [layer.shape for layer in layers]
        self.size = sum(layer.numel() for layer in layers)
        self.matrices = list(layers)
        if model.head is not None:  # a last layer that does not move
            self.matrices.append(torch.as_tensor(model.head, dtype=X.dtype, device=X.device)[None])
        self.inputs, self.slopes, curvatures = [X], [], []
        for matrix in self.matrices[:-1]:
            Z = (self.inputs[-1] @ matrix.T).requires_grad_()
            value = model.activation.value(Z)
            (slope,) = torch.autograd.grad(value.sum(), Z, create_graph=True)
            curvature = torch.zeros_like(slope)
            if slope.requires_grad:  # not where phi is piecewise linear
                (curvature,) = torch.autograd.grad(slope.sum(), Z)
            self.inputs.append(value.detach())
            self.slopes.append(slope.detach())
            curvatures.append(curvature)

        scale = model.output_scale
        q = y * (scale * (self.inputs[-1] @ self.matrices[-1].T)[:, 0])
        slope, curvature = loss.derivatives(q)
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


def top_eigenvalues(hessian: Hessian, count: int, tolerance: float, products: int) -> np.ndarray:
    """The `count` largest eigenvalues, the largest first, (count,) float64.

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
    found[: len(values)] = values
    return found


def _lanczos(hessian: Hessian, count: int, tolerance: float, products: int) -> np.ndarray:
    """Descending; empty where the budget ran out."""
    # A tiny network does without it, and it takes .3 s to import.
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    def multiply(v: np.ndarray) -> np.ndarray:
        return hessian.product(torch.as_tensor(v.ravel()).to(hessian.matrices[0])).cpu().numpy()

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
