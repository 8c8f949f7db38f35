"""The constant stepsize."""

from typing import Literal

from pydantic import Field

from largestep.method.policies.policy import Schedule


class Constant(Schedule):
    """eta_t = stepsize (paper)."""

    name: Literal["constant"] = "constant"
    stepsize: float | None = Field(None, gt=0, description="the stepsize of every step")
    constant = True

    def at(self, t):
        return self.stepsize + 0 * t
