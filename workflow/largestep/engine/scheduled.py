"""Stepsizes that are known beforehand, for whole stretches of steps in compiled loops."""

import torch
from torch import Tensor

from largestep.engine.descent import Descent
from largestep.engine.stepping import constant_pace


class Scheduled:
    """The stepsizes of R runs on the CPU, as their `scheduled` descent has them.

    clock: (R,) float64 each, what cannot be told from the number of steps; empty where stepsizes
    are constant.
    """

    def __init__(self, descent: Descent):
        cpu = torch.device("cpu")
        self.policy, self.constant = descent.policy(cpu), descent.stepsizes(cpu)
        self.clock = {}
        if self.constant is None:
            zeros = torch.zeros(len(descent), dtype=torch.float64)
            self.clock = {name: zeros.clone() for name in ("t", "time", "last_stepsize")}

    def next(self, count: int) -> Tensor:
        """Those of the next `count` steps, (count, R), which count as taken."""
        if self.constant is not None:
            return self.constant.expand(count, -1)
        t, time, last = self.clock.values()
        steps = self.policy.at(t + torch.arange(count)[:, None])
        t += count
        time.copy_(torch.cat([time[None], steps]).cumsum(0)[-1])
        last.copy_(steps[-1])
        return steps

    def coming(self) -> Tensor:
        """Those of the next step, (R,)."""
        return self.policy.at(self.clock["t"]) if self.constant is None else self.constant

    def pace(self, step: int) -> dict[str, Tensor]:
        """As `stepping.Stepping.pace`."""
        if self.constant is not None:
            return constant_pace(self.constant, step)
        t, time, last = (tensor.clone() for tensor in self.clock.values())
        return {
            "time": time,
            "last_stepsize": last if step else torch.full_like(last, torch.nan),
            "evaluations": t + 1,
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from a state that has the clock."""
        self.clock = {name: state[name].clone() for name in self.clock}
