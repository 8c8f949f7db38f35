"""Nesterov's accelerated gradient, with or without restarts."""

from typing import ClassVar, Literal

from pydantic import Field

from largestep.method.directions.direction import Direction


class Nesterov(Direction):
    """u_t = g_t + b_{k+1} v_{k+1}, v_{k+1} = b_k v_k + g_t, b_k = (k - 1) / (k + 2).

    For a constant stepsize this is the method at its look-ahead points (derived; Mishkin et al. for
    interpolation). With `restart`, k and v begin anew after a step that has increased the loss.
    """

    name: Literal["nesterov"] = "nesterov"
    words: ClassVar[str] = "Nesterov"
    restart: bool = Field(False, description="forget the momentum when the loss increases")
    remembers = True

    def start(self, gradients):
        import torch

        runs = gradients[0].new_zeros(len(gradients[0]), dtype=torch.float64)
        last = {"k": runs.clone(), "loss": torch.full_like(runs, torch.inf)}
        return last | {f"v{k}": 0 * g for k, g in enumerate(gradients)}

    def move(self, gradients, point, state):
        if self.restart:
            going = (point.loss <= state["loss"]).double()
            state["k"].mul_(going)
            for k, g in enumerate(gradients):
                state[f"v{k}"].mul_(going.to(g.dtype)[:, None, None])
            state["loss"].copy_(point.loss)
        state["k"] += 1
        now, then = (self._momentum(state["k"] + ahead) for ahead in (0, 1))
        moves = []
        for k, g in enumerate(gradients):
            v = state[f"v{k}"]
            v.mul_(now.to(g.dtype)[:, None, None]).add_(g)
            moves.append(g + then.to(g.dtype)[:, None, None] * v)
        return moves

    @staticmethod
    def _momentum(k):
        return ((k - 1) / (k + 2)).clamp(min=0)
