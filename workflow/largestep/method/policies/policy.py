"""What a stepsize policy is: it gives eta_t of the step w <- w - eta_t u_t.

A policy's numbers are floats in a configuration. When the engine asks, they are (R,) tensors, one
number for each of R runs (`together`): formulas are written once, for both. `stepsize`, where a
policy has it, may come from the grid of stepsizes that is trained, and is then not given here.
"""

from collections.abc import Sequence
from typing import ClassVar

from largestep.common.part import Named
from largestep.method.point import Point


class Policy(Named):
    """Base of all policies.

    constant: eta_t is `stepsize` at every step, for which the engine has a route of its own.
    needs_sharpness: it looks at the point's sharpness, found by its `products` Hessian-vector
    products.
    """

    constant: ClassVar[bool] = False
    needs_sharpness: ClassVar[bool] = False

    def start(self, like) -> dict:
        """The state at step 0: named tensors (R,), which `next` changes in place.

        like: a tensor of that shape and device.
        """
        return {}

    def next(self, point: Point, state: dict):
        """eta_t, (R,), of the step from `point`."""
        raise NotImplementedError

    @classmethod
    def numeric(cls) -> list[str]:
        """Names of the parameters that a grid may run over."""
        numbers = (float, float | None)
        return [name for name, field in cls.model_fields.items() if field.annotation in numbers]

    @property
    def label(self) -> str:
        """The policy in words, with its numbers but for the stepsize, which has a column."""
        return self.described({"stepsize"})

    @property
    def full_label(self) -> str:
        """The same with the stepsize."""
        return self.described()


def over(numerator, denominator):
    """Their ratio, and 0 where the denominator is: a run whose loss has vanished stays there."""
    return (numerator / denominator).where(denominator > 0, 0.0)


class Schedule(Policy):
    """A policy that looks at the number of the step alone, so that all steps are known before."""

    def at(self, t):
        """eta_t at steps t: shapes (..., 1) or (R,) to (..., R)."""
        raise NotImplementedError

    def next(self, point, state):
        return self.at(point.t)


class Search(Policy):
    """A policy that tries steps and takes some back.

    It proposes `next`; while a try is not accepted, it proposes a `shorter` one.
    """

    def accepts(self, point: Point, eta, slope, loss):
        """Whether to keep the step eta that leads to `loss`, (R,) of bool.

        slope: <grad L, u>, by which the loss falls per stepsize to first order.
        """
        raise NotImplementedError

    def shorter(self, eta):
        """What to try after eta, (R,)."""
        raise NotImplementedError

    def accepted(self, eta, state: dict) -> None:
        """Note, in `state`, the steps that were kept."""


def together(policies: Sequence[Policy], device) -> Policy:
    """Policies of R runs, alike but for their numbers, as one whose numbers are (R,) tensors."""
    import torch

    first = policies[0]
    numbers = {
        name: torch.tensor(
            [getattr(policy, name) for policy in policies], dtype=torch.float64, device=device
        )
        for name in first.numeric()
    }
    return type(first).model_construct(**first.model_dump() | numbers)
