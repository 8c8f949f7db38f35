"""What is trained, data and network, and what of it is measured at every step."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from largestep.engine import products
from largestep.method.activations import Activation

#: Scalars of the current point, in this order; slope = mean_i |l'(y_i f_i)|.
SCALARS = ("loss", "margin", "squared_norm", "squared_grad_norm", "slope")


@dataclass(frozen=True)
class Problem:
    """A data set and a network without its weights; all tensors share device and dtype.

    X: (n, d); y: (n,) of -1 and +1; test: the same pair for test data, or None.
    head: (m,) fixed output weights of a two-layer net, or None where the last layer is trained.
    """

    X: Tensor
    y: Tensor
    activation: Activation
    head: Tensor | None = None
    test: tuple[Tensor, Tensor] | None = None

    @cached_property
    def gram(self) -> Tensor:
        """K = X X^T, (n, n)."""
        return products.gram(self.X)

    @cached_property
    def test_gram(self) -> Tensor:
        """X X_test^T, (n, n_test)."""
        return self.X @ self.test[0].T
