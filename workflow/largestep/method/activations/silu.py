"""SiLU and its leaky form."""

import math
from typing import Literal

from largestep.method.activations.activation import Activation, Leaky
from largestep.method.activations.constants import Constants


class SiLU(Activation):
    """z sigmoid(z)."""

    name: Literal["silu"] = "silu"

    def value_and_slope(self, z):
        s = z.sigmoid()
        value = s * z
        return value, (1 - s).mul_(value).add_(s)

    def value(self, z):
        import torch

        return torch.nn.functional.silu(z)

    def pull_back(self, delta, z):
        import torch

        return torch.ops.aten.silu_backward(delta, z)

    def constants(self) -> Constants:
        # sup z^2 s(1-s) and sup phi' share the condition z tanh(z/2) = 2.
        low, high = 2.0, 3.0
        while (z := (low + high) / 2) not in (low, high):
            low, high = (z, high) if z * math.tanh(z / 2) < 2 else (low, z)
        s = 1 / (1 + math.exp(-z))
        top = s + z * s * (1 - s)
        return Constants(z * z * s * (1 - s), top, 1 - top, 0.5)

    def scalar(self):
        from largestep.method.compiled import compiled, fma, softplus

        @compiled
        def silu(z):
            _, s = softplus(z)
            return z * s, fma(z * s, 1 - s, s)

        return silu


class LeakySiLU(Leaky):
    """c z + (1 - c) SiLU(z)."""

    name: Literal["leaky_silu"] = "leaky_silu"
    base = SiLU
