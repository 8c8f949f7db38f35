"""Stepsizes at the edge of stability, on purpose."""

from typing import Literal

from pydantic import Field

from largestep.method.policies.policy import Policy


class EdgeOfStability(Policy):
    """eta_t = 2 c / lambda_max(w_t), the sharpness at w_t: at the edge of stability for c = 1.

    The sharpness is a Ritz value (Lanczos, from the last step's eigenvector), so never more than
    lambda_max, and exact where `products` reaches the number of weights. Where it is not positive
    the last stepsize is repeated, at step 0 a stepsize of 1 (our choice).
    """

    name: Literal["edge_of_stability"] = "edge_of_stability"
    c: float = Field(1.0, gt=0, description="stepsize in units of 2 / lambda_max")
    products: int = Field(
        8, ge=1, le=10**4, description="Hessian-vector products a step, each counts as a gradient"
    )
    needs_sharpness = True

    def start(self, like):
        return {"last": like + 1}

    def next(self, point, state):
        eta = (2 * self.c / point.sharpness).where(point.sharpness > 0, state["last"])
        state["last"].copy_(eta)
        return eta
