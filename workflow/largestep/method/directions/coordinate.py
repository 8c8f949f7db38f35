"""Coordinate descent: steepest descent in the sum norm."""

from typing import ClassVar, Literal

from largestep.method.directions.direction import Direction


class Coordinate(Direction):
    """u = g_j e_j, j the first index of the largest |g_j|: it moves one weight a step.

    Steepest descent in l_1 (Tsilivis, Vardi, Kempe).
    """

    name: Literal["coordinate"] = "coordinate"
    words: ClassVar[str] = "coordinate descent"
    norm = "l1"
    steepest = True

    def move(self, gradients, point, state):
        import torch

        flat = torch.cat([g.flatten(1) for g in gradients], dim=1)
        largest = flat.abs().argmax(1, keepdim=True)
        kept = torch.zeros_like(flat).scatter_(1, largest, flat.gather(1, largest))
        parts = kept.split([g[0].numel() for g in gradients], dim=1)
        return [part.view_as(g) for part, g in zip(parts, gradients, strict=True)]
