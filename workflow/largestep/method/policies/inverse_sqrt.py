"""Stepsizes that fall like 1/sqrt(t)."""

from typing import ClassVar, Literal

from pydantic import Field

from largestep.method.policies.policy import Schedule


class InverseSqrt(Schedule):
    """eta_t = stepsize / sqrt(t + 1), t = 0, 1, ..."""

    name: Literal["inverse_sqrt"] = "inverse_sqrt"
    words: ClassVar[str] = "inverse square root"
    stepsize: float | None = Field(None, gt=0, description="the stepsize of the first step")

    def at(self, t):
        return self.stepsize / (t + 1) ** 0.5
