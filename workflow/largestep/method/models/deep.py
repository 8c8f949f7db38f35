"""Networks of any depth whose layers are all trained, and drawn by their fan-in."""

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from largestep.method.models.model import Matrix, Model, WeightFile, Width, matrix, must_be


class Deep(Model):
    """Base of these networks: widths of the hidden layers, initial weights."""

    widths: Annotated[tuple[Width, ...], Field(strict=False, min_length=1, max_length=64)] = Field(
        description="of the hidden layers"
    )
    initial_weights: Annotated[
        Literal["uniform_fan_in"] | WeightFile | Annotated[tuple[Matrix, ...], Field(strict=False)],
        must_be("uniform_fan_in, a .safetensors file, or a matrix (list of lists) per layer"),
    ] = Field("uniform_fan_in", description="U(+-1/sqrt(fan_in)), a file, or the numbers")

    @property
    def order(self) -> int:
        """Near-homogeneity order M: the number of layers from input to output (paper)."""
        return len(self.widths) + 1

    def _draw(self, shapes, rng) -> list[np.ndarray]:
        return [rng.uniform(-1 / math.sqrt(s[1]), 1 / math.sqrt(s[1]), s) for s in shapes]

    def _explicit(self) -> list[np.ndarray]:
        return [matrix(layer) for layer in self.initial_weights]
