"""What is trained, data and network, and what of it is measured at every step."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from largestep.engine.products import Shared, gram
from largestep.method.activations.activation import Activation
from largestep.method.losses.loss import Loss

#: Scalars of the current point, in this order; slope = mean_i -l'(y_i f_i).
SCALARS = ("loss", "margin", "squared_norm", "squared_grad_norm", "slope")


@dataclass(frozen=True)
class Problem:
    """A data set and a network without its weights; all tensors share device and dtype.

    X: (n, d); y: (n,) of -1 and +1; test: the same pair for test data, or None.
    head: (m,) fixed output weights of a two-layer net, or None where the last layer is trained;
    output_scale: the fixed factor of such a last layer; gate_slope: of a gated network, which has
    no activation.
    """

    X: Tensor
    y: Tensor
    activation: Activation | None
    head: Tensor | None = None
    test: tuple[Tensor, Tensor] | None = None
    output_scale: float = 1.0
    gate_slope: float | None = None
    loss: Loss = field(kw_only=True)

    @classmethod
    def of(cls, model, loss: Loss, X: Tensor, y: Tensor, test=None) -> "Problem":
        """A model (`method.models`) and a loss on a data set."""
        head = None if model.head is None else torch.as_tensor(model.head).to(X)
        kind = {"output_scale": model.output_scale, "gate_slope": model.gate_slope}
        return cls(X, y, model.activation, head, test, loss=loss, **kind)

    def double(self) -> "Problem":
        """The same in float64, without the test data."""
        head = None if self.head is None else self.head.double()
        return replace(self, X=self.X.double(), y=self.y.double(), head=head, test=None)

    @cached_property
    def compilable(self) -> bool:
        """Whether activation and loss have compiled code."""
        return self.activation.scalar() is not None and self.loss.scalar() is not None

    @cached_property
    def shared_X(self) -> Shared:
        return Shared(self.X)

    @cached_property
    def shared_turned_X(self) -> Shared:
        return Shared(self.X.T)

    @cached_property
    def shared_gram(self) -> Shared:
        """K = X X^T, (n, n)."""
        return Shared(gram(self.X))

    @cached_property
    def test_gram(self) -> Tensor:
        """X X_test^T, (n, n_test)."""
        return self.X @ self.test[0].T
