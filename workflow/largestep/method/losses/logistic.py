"""The logistic loss, the paper's."""

from typing import Literal

from largestep.method.losses.loss import Loss
from largestep.method.softplus import softplus


class Logistic(Loss):
    """ln(1 + e^-q) (paper)."""

    name: Literal["logistic"] = "logistic"

    def value_and_slope(self, q):
        return softplus(-q)

    def derivatives(self, q):
        wrong = (-q).sigmoid() / len(q)
        return wrong, wrong * (1 - len(q) * wrong)

    def scalar(self):
        from largestep.method.compiled import compiled, softplus

        @compiled
        def logistic(q):
            return softplus(-q)

        return logistic
