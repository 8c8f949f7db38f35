"""How the runs of a grid descend: a direction, and a stepsize policy for each run."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from largestep.method.directions.direction import Direction
from largestep.method.policies.policy import Policy, Schedule, Search, together


@dataclass(frozen=True)
class Descent:
    """R runs: one direction, and policies of one kind, each with numbers of its own."""

    direction: Direction
    policies: Sequence[Policy]

    def __len__(self) -> int:
        return len(self.policies)

    def part(self, group: slice) -> "Descent":
        """The descent of some of the runs."""
        return Descent(self.direction, self.policies[group])

    def policy(self, device: torch.device) -> Policy:
        """The runs' policies as one, whose numbers are (R,) tensors."""
        return together(self.policies, device)

    @property
    def constant(self) -> bool:
        """Whether it is constant-stepsize gradient descent."""
        return self.direction.plain and self.policies[0].constant

    @property
    def scheduled(self) -> bool:
        """Whether it is gradient descent with stepsizes that are known beforehand."""
        return self.direction.plain and isinstance(self.policies[0], Schedule)

    @property
    def reads_back(self) -> bool:
        """Whether a step reads numbers back from the device: a search its tries, Lanczos what it
        goes on with."""
        return isinstance(self.policies[0], Search) or self.policies[0].needs_sharpness

    def stepsizes(self, device: torch.device) -> Tensor | None:
        """The constant stepsizes, (R,) float64; None where they are not constant."""
        return self.policy(device).stepsize if self.constant else None
