"""Softplus, and the leaky softplus of the paper's figures."""

import math
from typing import Literal

from largestep.method.activations.activation import Activation, Leaky
from largestep.method.activations.constants import Constants
from largestep.method.softplus import softplus


class Softplus(Activation):
    """ln(1 + e^z)."""

    name: Literal["softplus"] = "softplus"

    def value_and_slope(self, z):
        return softplus(z)

    def constants(self) -> Constants:
        return Constants(kappa=math.log(2), lip=1.0, alpha=0.0, curvature=0.25)

    def scalar(self):
        from largestep.method.compiled import softplus

        return softplus


class LeakySoftplus(Leaky):
    """c z + (1 - c) softplus(z), the paper's phi_c; its figures use c = 0.5."""

    name: Literal["leaky_softplus"] = "leaky_softplus"
    base = Softplus
