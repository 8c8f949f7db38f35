"""The exponential loss, for which the smoothed margin is exact."""

import math
from typing import Literal

from largestep.method.losses.loss import Loss


class Exponential(Loss):
    """e^-q; overflows early at large stepsizes, and a diverged run is a result."""

    name: Literal["exponential"] = "exponential"

    def value_and_slope(self, q):
        value = (-q).exp()
        return value, value.clone()

    def derivatives(self, q):
        each = (-q).exp() / len(q)
        return each, each.clone()

    def scalar(self):
        from largestep.method.compiled import compiled, exp

        @compiled
        def exponential(q):
            # exp is made for arguments up to 709; beyond, e^-q is infinite, and a nan stays one.
            value = exp(-q) if q > -709.0 else (math.inf if q == q else q)
            return value, value

        return exponential
