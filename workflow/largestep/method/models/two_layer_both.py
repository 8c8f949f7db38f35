"""The two-layer network with both layers trained."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from largestep.method.models.model import (
    Activated,
    Matrix,
    WeightFile,
    Width,
    matrix,
    must_be,
)


class TwoLayerBoth(Activated):
    """f(w; x) = (1/m) sum_j a_j phi(x . w_j), all w_j and a_j trained (our choice of scale).

    Its initial function is that of `two_layer` with the same seed: w_j ~ N(0, 1), and a_j = +1 for
    the first half, -1 for the second. Homogeneous of order 2 where phi is homogeneous.
    """

    kind: Literal["two_layer_both"] = "two_layer_both"
    width: Annotated[Width, Field(multiple_of=2)] = Field(description="number m of neurons, even")
    initial_weights: Annotated[
        Literal["standard_normal"]
        | WeightFile
        | Annotated[tuple[Matrix, ...], Field(strict=False)],
        must_be("standard_normal, a .safetensors file, or a matrix (list of lists) per layer"),
    ] = Field("standard_normal", description="a distribution, a file, or the numbers")

    @property
    def m(self) -> int:
        return self.width

    @property
    def order(self) -> int:
        """Near-homogeneity order M: two trained layers."""
        return 2

    @property
    def output_scale(self) -> float:
        return 1 / self.m

    @property
    def stepsize_per_eta(self) -> int:
        """As in `two_layer`: the effective stepsize is m eta."""
        return self.m

    @property
    def label(self) -> str:
        return f"two-layer, both layers trained, m = {self.m}"

    def layer_shapes(self, d: int) -> list[tuple[int, int]]:
        return [(self.m, d), (1, self.m)]

    def _draw(self, shapes, rng) -> list[np.ndarray]:
        signs = np.repeat([1.0, -1.0], self.m // 2)
        return [rng.standard_normal(shapes[0]), signs[None]]

    def _explicit(self) -> list[np.ndarray]:
        return [matrix(layer) for layer in self.initial_weights]
