"""The deep linearly gated network (Yadav et al.): gates are half-spaces, made soft."""

from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field

from largestep.method.models.deep import Deep


class Gated(Deep):
    """f = v . h_D, h_l = s_l * (V_l h_{l-1}), h_0 = 1: paths through gates s_l = sigmoid(beta u_l).

    The gates belong to a linear network u_l = U_l u_{l-1}, u_0 = x; both networks are trained
    (Yadav et al.; soft gates are our choice). Layers: U_1 .. U_D, V_1 .. V_D, v.
    """

    kind: Literal["gated"] = "gated"
    beta: float = Field(4.0, gt=0, description="slope of the gates (our choice)")
    activation: ClassVar[None] = None

    @property
    def gate_slope(self) -> float:
        return self.beta

    @property
    def label(self) -> str:
        return f"{self.order}-layer gated network, widths {'-'.join(map(str, self.widths))}"

    @property
    def activation_label(self) -> str:
        return f"gates sigmoid({self.beta:g} u)"

    def layer_shapes(self, d: int) -> list[tuple[int, int]]:
        gates, values = (d, *self.widths), (1, *self.widths, 1)
        return [(out, into) for sizes in (gates, values) for into, out in pairwise(sizes)]
