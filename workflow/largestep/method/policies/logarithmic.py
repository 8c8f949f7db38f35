"""Stepsizes that fall to zero like 1 - ln t / ln T."""

import math
from typing import Literal

from pydantic import Field

from largestep.method.policies.policy import Schedule


class Logarithmic(Schedule):
    """eta_t = stepsize (1 - ln(t + 1) / ln horizon), and 0 beyond (Shamaee et al.; one cycle)."""

    name: Literal["logarithmic"] = "logarithmic"
    stepsize: float | None = Field(None, gt=0, description="the stepsize of the first step")
    horizon: int = Field(gt=1, le=10**9, description="number of steps after which it is 0")

    def at(self, t):
        return self.stepsize * (1 - (t + 1).log() / math.log(self.horizon)).clamp(min=0)
