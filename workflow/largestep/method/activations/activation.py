"""What an activation phi is: its value, its slope, and the constants that the theory needs.

Formulas are methods on torch tensors and never import torch (or numba) at the top of a module, so
that reading a configuration stays cheap.
"""

from collections.abc import Callable
from typing import ClassVar

from pydantic import Field

from largestep.common.part import Named
from largestep.method.activations.constants import Constants


class Activation(Named):
    """Base of all activations; only `value_and_slope` must be given.

    follows: whether the compiled code of `scalar` computes in float32 where it is given one.
    """

    follows: ClassVar[bool] = False

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
        """Closed forms where they exist (derived); else found numerically, to 1e-9."""
        from largestep.method.activations.numerical_constants import constants

        return constants(self)

    def scalar(self) -> Callable | None:
        """Compiled code (z, *numbers) -> phi(z), phi'(z) of one number.

        None where there is none: the network then trains without the compiled loop.
        """
        return None

    @property
    def numbers(self) -> tuple[float, ...]:
        """The parameters, in the order in which `scalar` takes them."""
        return tuple(self.model_dump(exclude={"name"}).values())

    @property
    def label(self) -> str:
        """The activation in words, with its parameters."""
        return self.described()


class Leaky(Activation):
    """c z + (1 - c) phi(z), phi the activation `base`."""

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

    def scalar(self) -> Callable | None:
        inner = self._inner().scalar()
        if inner is None:
            return None
        from largestep.method.compiled import compiled, fma

        def leaky(z, c, *numbers):
            value, slope = inner(z, *numbers)
            return fma(c, z, (1 - c) * value), fma(1 - c, slope, c)

        leaky.__qualname__ = self.name  # code kept on disk is linked by it
        return compiled(leaky)
