"""The activation phi, its derivative, and the constants that the theory needs of it.

Formulas are methods on torch tensors and never import torch themselves, so that reading
a configuration stays cheap. Constants are science.md section 2 (derived): closed forms,
or the root of the one-dimensional equation that the docstring states.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from largestep.common.part import Part


@dataclass(frozen=True)
class Constants:
    """kappa = sup |phi - phi' z|, lip = sup |phi'|, alpha = inf phi', curvature B = sup |phi''|."""

    kappa: float
    lip: float
    alpha: float
    curvature: float

    def leaky(self, c: float) -> "Constants":
        """Constants of c z + (1 - c) phi(z); the linear part has kappa = B = 0."""
        low = c + (1 - c) * self.alpha
        high = c + (1 - c) * self.lip
        return Constants(
            (1 - c) * self.kappa, max(abs(low), abs(high)), low, (1 - c) * self.curvature
        )


class Activation(Part):
    """Base of all activations."""

    def value_and_slope(self, z):
        """phi(z) and phi'(z), elementwise, as new tensors of the shape and dtype of `z`."""
        raise NotImplementedError

    def value(self, z):
        """phi(z), a new tensor."""
        return self.value_and_slope(z)[0]

    def pull_back(self, delta, z):
        """delta phi'(z), a new tensor: the gradient before the activation from that behind it."""
        return self.value_and_slope(z)[1].mul_(delta)

    def constants(self) -> Constants:
        raise NotImplementedError

    @property
    def label(self) -> str:
        """The activation in words, with its parameters."""
        parameters = self.model_dump(exclude={"name"})
        words = ", ".join(f"{key} = {value:g}" for key, value in parameters.items())
        return self.name.replace("_", " ") + (f" ({words})" if words else "")


def softplus(z):
    """ln(1 + e^z) and its derivative sigmoid(z), stable for every z in every dtype."""
    import torch

    # The default threshold, 20, is exact to 2e-9 only.
    return torch.nn.functional.softplus(z, threshold=40), z.sigmoid()


class Softplus(Activation):
    """ln(1 + e^z)."""

    name: Literal["softplus"]

    def value_and_slope(self, z):
        return softplus(z)

    def constants(self) -> Constants:
        return Constants(kappa=math.log(2), lip=1.0, alpha=0.0, curvature=0.25)


class GELU(Activation):
    """z Phi(z), Phi the standard normal distribution function (the exact form, with erf)."""

    name: Literal["gelu"]

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


class SiLU(Activation):
    """z sigmoid(z)."""

    name: Literal["silu"]

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


class HuberizedReLU(Activation):
    """0 below 0, z^2 / 2h up to h, z - h/2 beyond."""

    name: Literal["huberized_relu"]
    h: float = Field(1.0, gt=0, description="where the slope reaches 1")

    def value_and_slope(self, z):
        slope = (z / self.h).clamp_(0, 1)
        return (z - slope * (self.h / 2)).mul_(slope), slope

    def constants(self) -> Constants:
        return Constants(self.h / 2, 1.0, 0.0, 1 / self.h)


class _Leaky(Activation):
    """c z + (1 - c) phi(z)."""

    c: float = Field(0.5, ge=0, lt=1, description="slope of the linear part")
    base: ClassVar[type[Activation]]

    def _inner(self) -> Activation:
        return self.base.model_construct(**self.model_dump(exclude={"name", "c"}))

    def value_and_slope(self, z):
        value, slope = self._inner().value_and_slope(z)
        return value.mul_(1 - self.c).add_(z, alpha=self.c), slope.mul_(1 - self.c).add_(self.c)

    def value(self, z):
        return self._inner().value(z).mul_(1 - self.c).add_(z, alpha=self.c)

    def pull_back(self, delta, z):
        return self._inner().pull_back(delta, z).mul_(1 - self.c).add_(delta, alpha=self.c)

    def constants(self) -> Constants:
        return self._inner().constants().leaky(self.c)


class LeakySoftplus(_Leaky):
    """c z + (1 - c) softplus(z), the paper's phi_c; its figures use c = 0.5."""

    name: Literal["leaky_softplus"]
    base = Softplus


class LeakyGELU(_Leaky):
    """c z + (1 - c) GELU(z)."""

    name: Literal["leaky_gelu"]
    base = GELU


class LeakySiLU(_Leaky):
    """c z + (1 - c) SiLU(z)."""

    name: Literal["leaky_silu"]
    base = SiLU


class LeakyHuberizedReLU(_Leaky):
    """c z + (1 - c) phi(z), phi the Huberized ReLU."""

    name: Literal["leaky_huberized_relu"]
    h: float = Field(1.0, gt=0, description="where the slope reaches 1")
    base = HuberizedReLU


AnyActivation = Annotated[
    Softplus
    | LeakySoftplus
    | GELU
    | LeakyGELU
    | SiLU
    | LeakySiLU
    | HuberizedReLU
    | LeakyHuberizedReLU,
    Field(discriminator="name"),
]

ALL: tuple[type[Activation], ...] = get_args(get_args(AnyActivation)[0])
