"""Huberized ReLU and its leaky form."""

from typing import Literal

from pydantic import Field

from largestep.method.activations.activation import Activation, Leaky
from largestep.method.activations.constants import Constants


class HuberizedReLU(Activation):
    """0 below 0, z^2 / 2h up to h, z - h/2 beyond."""

    name: Literal["huberized_relu"] = "huberized_relu"
    h: float = Field(1.0, gt=0, description="where the slope reaches 1")

    def value_and_slope(self, z):
        slope = (z / self.h).clamp_(0, 1)
        return (z - slope * (self.h / 2)).mul_(slope), slope

    def constants(self) -> Constants:
        return Constants(self.h / 2, 1.0, 0.0, 1 / self.h)

    def scalar(self):
        from largestep.method.compiled import compiled

        @compiled
        def huber(z, h):
            slope = 0.0 if z < 0 else (1.0 if z > h else z / h)
            return (z - slope * (h / 2)) * slope, slope

        return huber


class LeakyHuberizedReLU(Leaky):
    """c z + (1 - c) phi(z), phi the Huberized ReLU."""

    name: Literal["leaky_huberized_relu"] = "leaky_huberized_relu"
    h: float = Field(1.0, gt=0, description="where the slope reaches 1")
    base = HuberizedReLU
