"""Gradient descent."""

from typing import Literal

from largestep.method.directions.direction import Direction


class Gradient(Direction):
    """u = grad L(w): steepest descent in the Euclidean norm (paper)."""

    name: Literal["gradient"] = "gradient"
    plain = True
    steepest = True

    def move(self, gradients, point, state):
        return gradients
