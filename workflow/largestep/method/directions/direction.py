"""What a direction u is: a step is w <- w - eta u."""

from typing import ClassVar

from largestep.common.part import Named
from largestep.method.point import Point


class Direction(Named):
    """Base of all directions.

    plain: u is the gradient itself, for which the engine has routes of its own. remembers: u
    depends on earlier steps, so that no step can be taken back. norm: l1, l2 or linf, by which
    the direction is judged; steepest: whether u is steepest descent in it.
    """

    plain: ClassVar[bool] = False
    remembers: ClassVar[bool] = False
    norm: ClassVar[str] = "l2"
    steepest: ClassVar[bool] = False

    def start(self, gradients: list) -> dict:
        """The state at step 0: named tensors, run axis first, which `move` changes in place.

        gradients: one (R, out, in) tensor per layer, for shapes, dtype and device.
        """
        return {}

    def move(self, gradients: list, point: Point, state: dict) -> list:
        """u, one (R, out, in) tensor per layer, for the gradients at `point`."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """The direction in words, with its parameters."""
        return self.described()
