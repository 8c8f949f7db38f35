"""Sharpness: the largest eigenvalues of the Hessian of the loss, at given weights."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from largestep.activations import softplus
from largestep.models import AnyModel
from largestep.spec import Experiment
from largestep.tables import IDENTITY

#: Weights up to which the whole matrix is made: a tiny network's, exact and cheap.
WHOLE = 128

#: Lanczos vectors kept: a small basis ends early where one eigenvalue stands out, as it does here.
_BASIS = 10


class Hessian:
    """The Hessian of the logistic loss at one point, as a linear map of flat weights.

    X (n, d) and y (n,); layers: one (out, in) tensor per trained layer; all in one dtype, on one
    device. The gradient's graph is kept, so that a product costs one pass backwards through it.
    """

    def __init__(self, model: AnyModel, X: Tensor, y: Tensor, layers: list[Tensor]):
        self.weights = torch.cat([layer.ravel() for layer in layers]).requires_grad_()
        parts = self.weights.split([layer.numel() for layer in layers])
        matrices = [part.view_as(layer) for part, layer in zip(parts, layers, strict=True)]
        if model.head is not None:
            matrices.append(torch.as_tensor(model.head, dtype=X.dtype, device=X.device)[None])
        h = X
        for matrix in matrices[:-1]:
            h = model.activation.value(h @ matrix.T)
        loss = softplus(-y * (h @ matrices[-1].T)[:, 0])[0].mean()
        (self.gradient,) = torch.autograd.grad(loss, self.weights, create_graph=True)

    @property
    def size(self) -> int:
        return len(self.weights)

    def product(self, v: Tensor) -> Tensor:
        """H v, (P,)."""
        return torch.autograd.grad(self.gradient, self.weights, v, retain_graph=True)[0]

    def matrix(self) -> Tensor:
        """H itself, (P, P): the products with all unit vectors at once."""
        units = torch.eye(self.size, dtype=self.weights.dtype, device=self.weights.device)
        return torch.autograd.grad(
            self.gradient, self.weights, units, retain_graph=True, is_grads_batched=True
        )[0]


def top_eigenvalues(hessian: Hessian, count: int, tolerance: float, products: int) -> np.ndarray:
    """The `count` largest eigenvalues, the largest first, (count,) float64.

    Small networks exactly, others by Lanczos (ARPACK): each value lies within `tolerance` times
    itself of an eigenvalue. nan where the weights are not finite, where there are fewer
    eigenvalues, or where `products` Hessian-vector products did not reach the tolerance.
    """
    found = np.full(count, np.nan)
    if not hessian.gradient.isfinite().all():
        return found
    if hessian.size <= WHOLE:
        values = np.linalg.eigvalsh(hessian.matrix().cpu().numpy())[::-1][:count]
    else:
        values = _lanczos(hessian, count, tolerance, products)
    found[: len(values)] = values
    return found


def _lanczos(hessian: Hessian, count: int, tolerance: float, products: int) -> np.ndarray:
    """Descending; empty where the budget ran out."""

    def multiply(v: np.ndarray) -> np.ndarray:
        given = torch.as_tensor(v, dtype=hessian.weights.dtype, device=hessian.weights.device)
        return hessian.product(given.ravel()).cpu().numpy()

    # The same start everywhere, and a random one: it must not share a symmetry of the weights.
    rng = np.random.default_rng(0)
    start = rng.standard_normal(hessian.size)
    basis = max(_BASIS, 2 * count + 1)
    try:
        values = eigsh(
            LinearOperator((hessian.size, hessian.size), multiply, dtype=np.float64),
            k=count,
            which="LA",  # a saddle's largest in modulus may be negative
            v0=start,
            ncv=basis,
            maxiter=max(1, (products - basis) // (basis - count)),
            tol=tolerance,
            return_eigenvectors=False,
            rng=rng,
        )
    except ArpackNoConvergence:
        return np.empty(0)
    return np.sort(values)[::-1]


def along(
    experiment: Experiment,
    X: np.ndarray,
    y: np.ndarray,
    runs: pd.DataFrame,
    snapshots: Mapping[str, np.ndarray],
    device: torch.device,
    progress: Callable[[int], None] = lambda done: None,
) -> pd.DataFrame:
    """Rows of tables.SHARPNESS for the snapshots of the runs in a table; float64 throughout.

    snapshots: `<key>.steps` (S,) and `<key>.layer0` (S, out, in) and so on, for each run's key.
    `progress` hears how many snapshots are done.
    """
    asked, rows = experiment.sharpness, []
    inputs, labels = (torch.as_tensor(a, dtype=torch.float64, device=device) for a in (X, y))
    depth = len(experiment.model.layer_shapes(X.shape[1]))
    for run in runs.to_dict("records"):
        layers = [snapshots[f"{run['key']}.layer{k}"] for k in range(depth)]
        for place, step in enumerate(snapshots[f"{run['key']}.steps"]):
            at = [torch.as_tensor(layer[place]).to(inputs) for layer in layers]
            hessian = Hessian(experiment.model, inputs, labels, at)
            values = top_eigenvalues(hessian, asked.top, asked.tolerance, asked.products)
            identity = {column: run[column] for column in IDENTITY}
            for rank, value in enumerate(values, start=1):
                rows.append(identity | {"step": step, "rank": rank, "eigenvalue": value})
            progress(len(rows) // asked.top)
    return pd.DataFrame(rows)
