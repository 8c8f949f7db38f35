"""ReLU and its leaky form: homogeneous, so that margins can be compared across scales."""

import math
from typing import Literal

from largestep.method.activations.activation import Activation, Leaky
from largestep.method.activations.constants import Constants


class ReLU(Activation):
    """max(z, 0), with slope 0 at 0."""

    name: Literal["relu"] = "relu"

    def value_and_slope(self, z):
        return z.clamp(min=0), (z > 0).to(z.dtype)

    def constants(self) -> Constants:
        # The slope jumps: phi'' is not bounded, and Theorem 2.2 does not apply.
        return Constants(kappa=0.0, lip=1.0, alpha=0.0, curvature=math.inf)

    def scalar(self):
        from largestep.method.compiled import compiled

        @compiled
        def relu(z):
            # A nan must stay one.
            return (0.0 if z < 0 else z), (1.0 if z > 0 else 0.0)

        return relu


class LeakyReLU(Leaky):
    """c z + (1 - c) max(z, 0)."""

    name: Literal["leaky_relu"] = "leaky_relu"
    base = ReLU
