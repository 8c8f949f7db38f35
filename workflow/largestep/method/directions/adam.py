"""Adam."""

from typing import ClassVar, Literal

from pydantic import Field

from largestep.method.directions.direction import Direction


class Adam(Direction):
    """u = m / (sqrt(v) + eps), m and v the bias-corrected means of g and g^2 (Kingma and Ba)."""

    name: Literal["adam"] = "adam"
    words: ClassVar[str] = "Adam"
    beta1: float = Field(0.9, ge=0, lt=1, description="memory of the mean of the gradient")
    beta2: float = Field(0.999, ge=0, lt=1, description="memory of the mean of its square")
    eps: float = Field(1e-8, gt=0, description="added to the root of that mean")
    remembers = True
    norm = "linf"

    def start(self, gradients):
        names = [(f"{mean}{k}", 0 * g) for mean in "mv" for k, g in enumerate(gradients)]
        return dict(names)

    def move(self, gradients, point, state):
        moves = []
        for k, g in enumerate(gradients):
            m, v = state[f"m{k}"], state[f"v{k}"]
            m.mul_(self.beta1).add_(g, alpha=1 - self.beta1)
            v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
            first, second = (
                (1 - beta ** (point.t + 1)).to(g.dtype)[:, None, None]
                for beta in (self.beta1, self.beta2)
            )
            moves.append((m / first) / ((v / second).sqrt() + self.eps))
        return moves
