"""The paper's network: two layers, of which the first is trained."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from largestep.method.models.model import (
    Activated,
    Matrix,
    Vector,
    WeightFile,
    Width,
    matrix,
    must_be,
)


class TwoLayer(Activated):
    """f(w; x) = sum_j c_j phi(x . w_j) with fixed c_j = a_j / m: +1/m first, then -1/m."""

    kind: Literal["two_layer"] = "two_layer"
    width: Width | None = Field(None, description="number m of neurons")
    output_weights: Vector | None = Field(
        None, description="c_j; +1/m (first half) and -1/m (second half) where not given"
    )
    initial_weights: Annotated[
        Literal["standard_normal", "zero"] | WeightFile | Matrix,
        must_be(
            "standard_normal, zero, a .npy or .safetensors file, or a list of numbers per neuron"
        ),
    ] = Field("standard_normal", description="a distribution, a file, or the numbers")

    @model_validator(mode="after")
    def _balanced(self):
        if self.output_weights is None:
            if self.width is None:
                raise ValueError("width: is missing; give width or output_weights")
            if self.width % 2:
                raise ValueError(
                    f"width: must be even, half the output weights are +1/m and half -1/m "
                    f"(got {self.width})"
                )
        elif self.width not in (None, len(self.output_weights)):
            raise ValueError(
                f"output_weights: must be {self.width} numbers, one per neuron "
                f"(got {len(self.output_weights)})"
            )
        return self

    @property
    def m(self) -> int:
        return self.width or len(self.output_weights)

    @property
    def order(self) -> int:
        """Near-homogeneity order M (paper)."""
        return 1

    @property
    def head(self) -> np.ndarray:
        """Output weights c, shape (m,)."""
        if self.output_weights is not None:
            return np.array(self.output_weights)
        return np.repeat([1 / self.m, -1 / self.m], self.m // 2)

    @property
    def stepsize_per_eta(self) -> int:
        """The step taken is eta_tilde = m eta (paper)."""
        return self.m

    @property
    def label(self) -> str:
        return f"two-layer, m = {self.m}"

    def layer_shapes(self, d: int) -> list[tuple[int, int]]:
        return [(self.m, d)]

    def _draw(self, shapes, rng) -> list[np.ndarray]:
        if self.initial_weights == "zero":
            return [np.zeros(shape) for shape in shapes]
        return [rng.standard_normal(shape) for shape in shapes]

    def _explicit(self) -> list[np.ndarray]:
        return [matrix(self.initial_weights)]
