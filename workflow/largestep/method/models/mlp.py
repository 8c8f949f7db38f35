"""The bias-free multilayer perceptron."""

import math
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from largestep.method.models.model import Matrix, Model, WeightFile, Width, matrix, must_be


class MLP(Model):
    """Bias-free multilayer perceptron d - widths - 1, all layers trained."""

    kind: Literal["mlp"] = "mlp"
    widths: Annotated[tuple[Width, ...], Field(strict=False, min_length=1, max_length=64)] = Field(
        description="of the hidden layers"
    )
    initial_weights: Annotated[
        Literal["uniform_fan_in"] | WeightFile | Annotated[tuple[Matrix, ...], Field(strict=False)],
        must_be("uniform_fan_in, a .safetensors file, or a matrix (list of lists) per layer"),
    ] = Field("uniform_fan_in", description="U(+-1/sqrt(fan_in)), a file, or the numbers")

    @property
    def order(self) -> int:
        """Near-homogeneity order M: the number of layers (paper)."""
        return len(self.widths) + 1

    @property
    def label(self) -> str:
        return f"{self.order}-layer MLP, widths {'-'.join(map(str, self.widths))}"

    def layer_shapes(self, d: int) -> list[tuple[int, int]]:
        sizes = (d, *self.widths, 1)
        return [(out, into) for into, out in pairwise(sizes)]

    def _draw(self, shapes, rng) -> list[np.ndarray]:
        return [rng.uniform(-1 / math.sqrt(s[1]), 1 / math.sqrt(s[1]), s) for s in shapes]

    def _explicit(self) -> list[np.ndarray]:
        return [matrix(layer) for layer in self.initial_weights]
