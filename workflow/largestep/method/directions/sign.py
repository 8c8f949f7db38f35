"""Sign descent: steepest descent in the maximum norm."""

from typing import ClassVar, Literal

from largestep.method.directions.direction import Direction


class Sign(Direction):
    """u = ||g||_1 sign(g), with sign(0) = 0: steepest descent in l_inf (Tsilivis, Vardi, Kempe)."""

    name: Literal["sign"] = "sign"
    words: ClassVar[str] = "sign descent"
    norm = "linf"
    steepest = True

    def move(self, gradients, point, state):
        dual = sum(g.double().abs().sum((1, 2)) for g in gradients)
        return [g.sign() * dual.to(g.dtype)[:, None, None] for g in gradients]
