"""Stepsizes in proportion to one over the loss, or over the norm of the gradient."""

from typing import ClassVar, Literal

from pydantic import Field

from largestep.method.policies.policy import Policy, over


class LossNormalized(Policy):
    """eta_t = stepsize / L(w_t): it grows as the curvature falls, with L (our choice)."""

    name: Literal["loss_normalized"] = "loss_normalized"
    words: ClassVar[str] = "loss-normalized"
    stepsize: float | None = Field(None, gt=0, description="eta_t times the loss")

    def next(self, point, state):
        return over(self.stepsize, point.loss)


class GradientNormalized(Policy):
    """eta_t = stepsize / ||grad L(w_t)||: every step has the same length (our choice)."""

    name: Literal["gradient_normalized"] = "gradient_normalized"
    words: ClassVar[str] = "gradient-normalized"
    stepsize: float | None = Field(None, gt=0, description="length of every step")

    def next(self, point, state):
        return over(self.stepsize, point.squared_grad_norm.sqrt())
