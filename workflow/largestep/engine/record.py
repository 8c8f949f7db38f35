"""What is kept of a trajectory: rows on a fixed step grid, and quantities that see every step.

The engine hands over the per-step scalars of a stretch at once; they are digested on the device,
so that the loop itself stays bare: with cumulative operations on a GPU, by compiled code on the
CPU. Results do not depend on where stretches begin and end.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from largestep.engine.problem import SCALARS

ROWS_PER_DECADE = 64


def row_steps(start: int, stop: int) -> list[int]:
    """Recorded steps in start..stop (inclusive): 0, powers of two, 64 per decade, and `stop`.

    The grid is absolute (our choice), so a longer run extends a shorter one.
    """
    powers = {2**k for k in range(stop.bit_length()) if 2**k >= start}
    return sorted(powers | _decades(start, stop, ROWS_PER_DECADE))


def snapshot_steps(start: int, stop: int, per_decade: int) -> list[int]:
    """Those of the recorded steps at which weights are kept: 0, `per_decade`, and `stop`.

    per_decade: a divisor of 64, or 0 for no step at all.
    """
    return sorted(_decades(start, stop, per_decade)) if per_decade else []


def _decades(start: int, stop: int, per_decade: int) -> set[int]:
    steps, k = {0, stop}, 0
    while (step := round(10 ** (k / per_decade))) <= stop:
        steps.add(step)
        k += 1
    return {step for step in steps if step >= start}


@dataclass(frozen=True)
class Watch:
    """Numbers of the theory that the running quantities need; the engine knows no theory.

    stable_threshold: (R,) losses under which the stable phase begins; nan where there is none.
    kappa, order: the near-homogeneity constant of f and the order M of the network.
    """

    stable_threshold: Tensor
    kappa: float
    order: int


class Running:
    """Per-run quantities over all steps so far; every tensor is (R,).

    stepsizes: the constant ones, (R,), for the descent ratio, which is nan without them.
    """

    def __init__(self, watch: Watch, stepsizes: Tensor | None, n: int, eps: float):
        self.watch, self.stepsizes, self.n, self.eps = watch, stepsizes, n, eps
        # A loss is a mean of l(y f); f carries a relative error of a few eps and |f| is about
        # |ln L|, so a rise below this times 1 + |ln L| is round-off.
        self._tolerance = 32 * eps
        runs, device = len(watch.stable_threshold), watch.stable_threshold.device

        def full(value, dtype=torch.float64):
            return torch.full((runs,), value, dtype=dtype, device=device)

        self.state = {
            "last": full(torch.nan)[:, None].repeat(1, len(SCALARS)),
            "loss_sum": full(0.0),
            "slope_sum": full(0.0),
            "last_increase_step": full(0, torch.int64),
            "increases": full(0, torch.int64),
            "diverged_step": full(-1, torch.int64),
            "separation_step": full(-1, torch.int64),
            "stable_phase_step": full(-1, torch.int64),
            "largest_loss_rise": full(-torch.inf),
            "smallest_norm_growth": full(torch.inf),
            "smallest_descent_ratio": full(torch.inf),
        }
        for name in ("normalized_margin", "gamma_a", "gamma_b"):
            self.state[f"{name}_peak"] = full(-torch.inf)
            self.state[f"{name}_drawdown"] = full(-torch.inf)

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state`; other entries of `state` are ignored."""
        self.state = {name: state[name].clone() for name in self.state}

    def copy(self) -> "Running":
        twin = Running(self.watch, self.stepsizes, self.n, self.eps)
        twin.load(self.state)
        return twin

    def digest(self, scalars: Tensor, first: int) -> Tensor:
        """Take in the scalars (k, len(SCALARS), R) of steps first .. first + k - 1.

        Returns (2, k + 1, R): sums of the loss and of the slope over all steps before each of
        these, and before the next.
        """
        if scalars.device.type == "cpu":
            return self._digest_compiled(scalars, first)
        return self._digest_tensors(scalars, first)

    def _digest_compiled(self, scalars: Tensor, first: int) -> Tensor:
        from largestep.engine import compiled_record  # numba takes .3 s to import

        runs = scalars.shape[2]
        sums = scalars.new_empty(2, len(scalars) + 1, runs)
        stepsizes = self.stepsizes
        if stepsizes is None:
            stepsizes = scalars.new_full((runs,), torch.nan)
        compiled_record.digest(
            *(scalars.numpy(), first, self.state["last"].numpy()),
            *(self.watch.stable_threshold.numpy(), stepsizes.numpy()),
            *(self.n, self._tolerance, self.watch.kappa, self.watch.order),
            tuple(self.state[name].numpy() for name in compiled_record.STEPS),
            tuple(self.state[name].numpy() for name in compiled_record.VALUES),
            sums.numpy(),
        )
        return sums

    def _digest_tensors(self, scalars: Tensor, first: int) -> Tensor:
        state, watch = self.state, self.watch
        if not len(scalars):
            return torch.stack([state["loss_sum"], state["slope_sum"]])[:, None]
        loss, margin, squared_norm, _, slope = scalars.unbind(1)
        steps = torch.arange(first, first + len(scalars), device=scalars.device)[:, None]
        before = torch.cat([state["last"].T[None], scalars[:-1]])
        loss_before, _, squared_norm_before, squared_grad_before, _ = before.unbind(1)

        rose = loss > loss_before * (1 + self._tolerance * (1 + loss_before.log().abs()))
        state["increases"] += rose.sum(0)
        latest = torch.where(rose, steps, 0).amax(0)
        torch.maximum(state["last_increase_step"], latest, out=state["last_increase_step"])

        finite = (0 * scalars).sum(1) == 0  # faster than isfinite().all(1)
        self._first("diverged_step", steps, ~finite)
        self._first("separation_step", steps, margin > 0)
        self._first("stable_phase_step", steps, loss <= watch.stable_threshold)
        before = torch.stack([state["loss_sum"], state["slope_sum"]])[:, None]
        sums = torch.cat([before, torch.stack([loss, slope])], 1).cumsum(1)
        state["loss_sum"], state["slope_sum"] = sums[:, -1]

        stable = (state["stable_phase_step"] >= 0) & (steps >= state["stable_phase_step"]) & finite
        size = squared_norm ** (watch.order / 2)
        smooth = -(loss * self.n).log()
        self._draw_down("normalized_margin", margin / size, stable)
        self._draw_down("gamma_a", smooth / size, stable)
        self._draw_down("gamma_b", (smooth - watch.kappa) / size, stable)

        # Pairs (t-1, t) with t-1 stable; a pair that no bit distinguishes is frozen, not stable.
        moved = (loss != loss_before) | (squared_norm != squared_norm_before)
        stable &= (steps > state["stable_phase_step"]) & moved
        fall = loss_before - loss
        self._extreme("largest_loss_rise", torch.maximum, -fall / loss_before, stable)
        growth = (squared_norm / squared_norm_before).sqrt() - 1
        self._extreme("smallest_norm_growth", torch.minimum, growth, stable)
        stepsizes = torch.nan if self.stepsizes is None else self.stepsizes
        ratio = fall / (stepsizes * squared_grad_before)
        self._extreme("smallest_descent_ratio", torch.minimum, ratio, stable)
        state["last"] = scalars[-1].T.clone()
        return sums

    def _first(self, name: str, steps: Tensor, condition: Tensor) -> None:
        never = torch.iinfo(torch.int64).max
        found = torch.where(condition, steps, never).amin(0)
        new = (self.state[name] < 0) & (found != never)
        self.state[name] = torch.where(new, found, self.state[name])

    def _draw_down(self, name: str, values: Tensor, where: Tensor) -> None:
        values = torch.where(where, values, -torch.inf)
        peaks = torch.cat([self.state[f"{name}_peak"][None], values]).cummax(0).values
        self.state[f"{name}_peak"] = peaks[-1]
        self._extreme(f"{name}_drawdown", torch.maximum, peaks[1:] - values, where)

    def _extreme(self, name: str, pick, values: Tensor, where: Tensor) -> None:
        neutral = -torch.inf if pick is torch.maximum else torch.inf
        values = torch.where(where, values, neutral)
        extreme = values.amax(0) if pick is torch.maximum else values.amin(0)
        self.state[name] = pick(self.state[name], extreme)
