"""Polyak's stepsize."""

from typing import ClassVar, Literal

from pydantic import Field

from largestep.method.policies.policy import Policy, over


class Polyak(Policy):
    """eta_t = scale L(w_t) / ||grad L(w_t)||^2, the smallest loss being 0."""

    name: Literal["polyak"] = "polyak"
    words: ClassVar[str] = "Polyak"
    scale: float = Field(1.0, gt=0, description="factor; Polyak's is 1")

    def next(self, point, state):
        return over(self.scale * point.loss, point.squared_grad_norm)
