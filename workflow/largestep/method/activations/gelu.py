"""GELU and its leaky form."""

import math
from typing import ClassVar, Literal

from largestep.method.activations.activation import Activation, Leaky
from largestep.method.activations.constants import Constants


class GELU(Activation):
    """z Phi(z), Phi the standard normal distribution function (the exact form, with erf)."""

    name: Literal["gelu"] = "gelu"
    follows: ClassVar[bool] = True

    def value_and_slope(self, z):
        probability = (z * math.sqrt(0.5)).erf_().add_(1).mul_(0.5)
        density = (z * z).mul_(-0.5).exp_().mul_(1 / math.sqrt(2 * math.pi))
        return probability * z, density.mul_(z).add_(probability)

    def value(self, z):
        import torch

        return torch.nn.functional.gelu(z)

    def pull_back(self, delta, z):
        import torch

        return torch.ops.aten.gelu_backward(delta, z)

    def constants(self) -> Constants:
        # phi - phi' z = -z^2 pdf(z) and phi'' = (2 - z^2) pdf(z): both extremes are at z = sqrt 2,
        # except sup |phi''|, at z = 0.
        root = math.sqrt(2)
        density = math.exp(-1) / math.sqrt(2 * math.pi)
        high = 0.5 * (1 + math.erf(root / math.sqrt(2))) + root * density
        return Constants(2 * density, high, 1 - high, 2 / math.sqrt(2 * math.pi))

    def scalar(self):
        from largestep.method.compiled import compiled, fma
        from largestep.method.normal import normal

        @compiled
        def gelu(z):
            probability, density = normal(z)
            return z * probability, fma(z, density, probability)

        return gelu


class LeakyGELU(Leaky):
    """c z + (1 - c) GELU(z)."""

    name: Literal["leaky_gelu"] = "leaky_gelu"
    base = GELU
