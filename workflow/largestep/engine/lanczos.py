"""The largest eigenvalue of a symmetric map from a few products with it (Lanczos)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

#: Share of a vector outside the basis below which it is taken for rounding.
_NOTHING = 1e-10


def largest_ritz(
    product: Callable[[Tensor], Tensor], start: Tensor, products: int
) -> tuple[Tensor, Tensor, int]:
    """The largest Ritz value in the Krylov space of `products` products from `start` (P,), its unit
    vector (P,), and how many products it took.

    Never more than the largest eigenvalue (Rayleigh), to rounding; the eigenvalue itself where
    `products` >= P, since a space that closes earlier goes on with a random vector. nan where a
    product is not finite.
    """
    count = min(products, len(start))
    basis, images = start.new_empty(count, len(start)), start.new_empty(count, len(start))
    ahead = start
    for k in range(count):
        basis[k] = _orthonormal(ahead, basis[:k])
        images[k] = ahead = product(basis[k])
    projected = (basis @ images.T).cpu()
    if not projected.isfinite().all():
        return start.new_tensor(torch.nan), start, count
    values, vectors = torch.linalg.eigh((projected + projected.T) / 2)
    return values[-1].to(start), vectors[:, -1].to(start) @ basis, count


def random_start(size: int) -> Tensor:
    """The same vector (size,) everywhere, and random: it shares no symmetry of the weights."""
    return torch.as_tensor(np.random.default_rng(0).standard_normal(size))


def _orthonormal(vector: Tensor, basis: Tensor) -> Tensor:
    """What of a vector is orthogonal to the rows of `basis`, normalised; of a random vector where
    that is nothing."""
    rng = np.random.default_rng(len(basis) + 1)
    while True:
        length = vector.norm()
        for _ in range(2):  # once leaves rounding of the size of what is taken away
            vector = vector - basis.T @ (basis @ vector)
        left = vector.norm()
        if left > _NOTHING * length:
            return vector / left
        vector = torch.as_tensor(rng.standard_normal(len(vector))).to(basis)
