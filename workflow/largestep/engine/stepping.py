"""One step of a network: where to, and how far. What kind of step is chosen once for a grid."""

from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from largestep.engine.descent import Descent
from largestep.engine.first_layer import inner
from largestep.engine.hessian import hessian_at
from largestep.engine.lanczos import largest_ritz, random_start
from largestep.engine.network import Network
from largestep.method.point import Point
from largestep.method.policies.policy import Search

#: Tries of a line search, after which a run stays where it is: rounding hides every descent.
_MOST_TRIES = 64


class Stepping(Protocol):
    """The steps of the R runs of one network."""

    def step(self, scalars: Tensor) -> None:
        """Move the network from its measured point, whose SCALARS are (5, R)."""

    def pace(self, step: int) -> dict[str, Tensor]:
        """Of the point after `step` steps, (R,) float64 each: `time`, the sum of the stepsizes so
        far; `last_stepsize`, nan at step 0; `evaluations`, of gradients, losses
        and Hessian-vector products."""

    def moving(self, scalars: Tensor) -> Tensor:
        """Share of the iterate's numbers that the next step changes in their dtype, (R,)."""

    def state(self) -> dict[str, Tensor]:
        """Tensors, run axis first, from which `load` continues exactly."""

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state`, of which other entries are ignored."""


def stepping(network: Network, descent: Descent) -> Stepping:
    """The steps of a descent."""
    if descent.constant:
        return Constant(network, descent)
    policy = descent.policies[0]
    if isinstance(policy, Search):
        return Searching(network, descent)
    return (Sharp if policy.needs_sharpness else Adaptive)(network, descent)


class Constant:
    """The gradient times a constant stepsize: nothing to look at, nothing to remember."""

    def __init__(self, network: Network, descent: Descent):
        self.network = network
        self.stepsizes = descent.stepsizes(network.f.device)
        self.factor = self.stepsizes.to(network.f.dtype)[:, None, None]

    def step(self, scalars: Tensor) -> None:
        self.network.descend(self.factor)

    def pace(self, step: int) -> dict[str, Tensor]:
        return constant_pace(self.stepsizes, step)

    def moving(self, scalars: Tensor) -> Tensor:
        return self.network.moving(self.factor)

    def state(self) -> dict[str, Tensor]:
        return {}

    def load(self, state: dict[str, Tensor]) -> None:
        pass


def constant_pace(stepsizes: Tensor, step: int) -> dict[str, Tensor]:
    """`Stepping.pace` where stepsizes are constant: no sum, so no rounding."""
    return {
        "time": stepsizes * step,
        "last_stepsize": stepsizes if step else torch.full_like(stepsizes, torch.nan),
        "evaluations": torch.full_like(stepsizes, step + 1.0),
    }


class Adaptive:
    """Any direction, and a policy that is asked at every point.

    state: `t`, the steps taken so far; `extra`, evaluations beside the gradient of every point;
    what else `pace` tells; and whatever direction and policy keep.
    """

    def __init__(self, network: Network, descent: Descent):
        self.network, self.direction = network, descent.direction
        self.policy = descent.policy(network.f.device)
        zeros = torch.zeros(len(descent), dtype=torch.float64, device=network.f.device)
        self.own = {name: zeros.clone() for name in ("t", "time", "last_stepsize", "extra")}
        self.direction_state = self.direction.start(network.gradients())
        self.policy_state = self.policy.start(zeros)

    def step(self, scalars: Tensor) -> None:
        self._count(self._move(self._point(scalars)))

    def _point(self, scalars: Tensor) -> Point:
        """What direction and policy look at."""
        return Point(self.own["t"], *scalars)

    def _move(self, point: Point) -> Tensor:
        """Take the step; returns its stepsizes."""
        eta = self.policy.next(point, self.policy_state)
        self._go(self._moves(point), eta)
        return eta

    def _moves(self, point: Point) -> list[Tensor] | None:
        """Where to, layer by layer; None for the gradient, which the network knows best."""
        if self.direction.plain:
            return None
        return self.direction.move(self.network.gradients(), point, self.direction_state)

    def _go(self, moves: list[Tensor] | None, eta: Tensor) -> None:
        factor = eta.to(self.network.f.dtype)[:, None, None]
        if moves is None:
            self.network.descend(factor)
        else:
            self.network.move(moves, factor)

    def _count(self, eta: Tensor) -> None:
        self.own["t"] += 1
        self.own["time"] += eta
        self.own["last_stepsize"].copy_(eta)

    def pace(self, step: int) -> dict[str, Tensor]:
        last = self.own["last_stepsize"].clone()
        return {
            "time": self.own["time"].clone(),
            "last_stepsize": last if step else torch.full_like(last, torch.nan),
            "evaluations": self.own["t"] + 1 + self.own["extra"],
        }

    def moving(self, scalars: Tensor) -> Tensor:
        """Of a line search, the share that its first try changes."""
        here = {name: tensor.clone() for name, tensor in self.state().items()}
        point = self._point(scalars)
        moves = self._moves(point)
        factor = self.policy.next(point, self.policy_state).to(self.network.f.dtype)
        changed = self.network.moving(factor[:, None, None], moves)
        self.load(here)  # only now: a direction may give its own state as the move
        return changed

    def state(self) -> dict[str, Tensor]:
        direction = {f"direction_{name}": t for name, t in self.direction_state.items()}
        policy = {f"policy_{name}": t for name, t in self.policy_state.items()}
        return self.own | direction | policy

    def load(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self.state().items():
            tensor.copy_(state[name])


class Searching(Adaptive):
    """Tries steps until each run's policy accepts one; every other try costs one loss."""

    def _move(self, point: Point) -> Tensor:
        moves, slope = self._moves(point), point.squared_grad_norm
        if moves is not None:
            slope = sum(map(inner, self.network.gradients(), moves))
        start, eta = self.network.keep(), self.policy.next(point, self.policy_state)
        for _ in range(_MOST_TRIES):
            self._go(moves, eta)
            accepted = self.policy.accepts(point, eta, slope, self.network.loss())
            self.network.restore(start)
            if accepted.all():
                break
            self.own["extra"] += ~accepted
            eta = torch.where(accepted, eta, self.policy.shorter(eta))
        else:
            eta = torch.where(accepted, eta, 0.0)
        self._go(moves, eta)
        self.policy.accepted(eta, self.policy_state)
        return eta


class Sharp(Adaptive):
    """Tells the policy the sharpness, in float64 whatever the dtype, one run after the other.

    state: also `eigenvector`, (R, P), where the next step's search for it starts.
    """

    def __init__(self, network: Network, descent: Descent):
        super().__init__(network, descent)
        self.problem = network.problem.double()
        start = random_start(sum(layer[0].numel() for layer in network.layers()))
        self.own["eigenvector"] = start.to(self.problem.X).repeat(len(descent), 1)

    def _point(self, scalars: Tensor) -> Point:
        layers = [layer.double() for layer in self.network.layers()]
        sharpness = torch.full_like(self.own["t"], torch.nan)
        for r, start in enumerate(self.own["eigenvector"]):
            hessian = hessian_at(self.problem, [layer[r] for layer in layers])
            if hessian.finite:
                found = largest_ritz(hessian.product, start, self.policy.products)
                sharpness[r], vector, products = found
                start.copy_(vector)
                self.own["extra"][r] += products
        return replace(super()._point(scalars), sharpness=sharpness)
