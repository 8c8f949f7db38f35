"""The bias-free multilayer perceptron."""

from itertools import pairwise
from typing import Literal

from largestep.method.models.deep import Deep
from largestep.method.models.model import Activated


class MLP(Activated, Deep):
    """Bias-free multilayer perceptron d - widths - 1, all layers trained."""

    kind: Literal["mlp"] = "mlp"

    @property
    def label(self) -> str:
        return f"{self.order}-layer MLP, widths {'-'.join(map(str, self.widths))}"

    def layer_shapes(self, d: int) -> list[tuple[int, int]]:
        sizes = (d, *self.widths, 1)
        return [(out, into) for into, out in pairwise(sizes)]
