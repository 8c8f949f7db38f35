"""The deep linearly gated network: a linear network opens the gates of another (`models.gated`).

With beta the slope of the gates: u_l = U_l u_{l-1}, s_l = sigmoid(beta u_l), h_l = s_l * a_l with
a_l = V_l h_{l-1}, and f = v . h_D. Backwards, from g = dL/dh_l: dL/da_l = g * s_l, and u_l gets
g * a_l * beta s_l (1 - s_l) beside what comes from the gates above it.
"""

import torch
from torch import Tensor

from largestep.engine.network import Network
from largestep.engine.products import product


def outputs(beta: float, later: list[Tensor], u: Tensor) -> Tensor:
    """f (..., k) where the first gates' u_1 is (..., m, k).

    later: the layers after U_1, (..., out, in) each.
    """
    gates, values, head = _roles(later)
    h = values[0] * (beta * u).sigmoid()
    for U, V in zip(gates, values[1:], strict=True):
        u = U @ u
        h = (V @ h) * (beta * u).sigmoid()
    return (head @ h)[..., 0, :]


def _roles(later: list[Tensor]) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """U_2 .. U_D, V_1 .. V_D, and v, of tensors for all layers after U_1."""
    depth = len(later) // 2
    return later[: depth - 1], later[depth - 1 : -1], later[-1]


class Gated(Network):
    """The gated network; its first layer is U_1."""

    def __init__(self, problem, weights, form):
        super().__init__(problem, weights, form)
        runs, n = self.f.shape
        gates, values, _ = _roles(self.weights)
        self.u = [self.first.Z, *(self.f.new_empty(runs, U.shape[1], n) for U in gates)]
        self.a = [self.f.new_empty(runs, V.shape[1], n) for V in values[1:]]

    def _differentiate(self, scalars: Tensor) -> None:
        beta, (gates, values, head) = self.problem.gate_slope, _roles(self.weights)
        for U, before, u in zip(gates, self.u, self.u[1:], strict=False):
            product(U, before, out=u)
        s = [torch.mul(u, beta).sigmoid_() for u in self.u]
        a = [values[0].expand_as(s[0]), *self.a]  # V_1 h_0, h_0 = 1 for every sample
        h = [a[0] * s[0]]
        for k, V in enumerate(values[1:], 1):
            product(V, h[-1], out=a[k])
            h.append(a[k] * s[k])
        torch.bmm(head, h[-1], out=self.f[:, None])

        to_gates, to_values, to_head = _roles(self.grads)
        delta = self._summarise(scalars)[:, None]
        product(delta, h[-1].mT, out=to_head)
        g, pulls = head.mT * delta, []
        for k in reversed(range(len(s))):
            pulls.insert(0, (g * a[k]).mul_(s[k]).mul_(1 - s[k]).mul_(beta))
            g = g * s[k]
            if k:
                product(g, h[k - 1].mT, out=to_values[k])
                # The layer's output is not needed any more: its memory takes the product.
                product(values[k].mT, g, out=h[k - 1])
                g = h[k - 1]
        torch.sum(g, 2, keepdim=True, out=to_values[0])
        pull = pulls[-1]
        for k in reversed(range(len(gates))):
            product(pull, self.u[k].mT, out=to_gates[k])
            product(gates[k].mT, pull, out=h[k])
            pull = pulls[k].add_(h[k])
        self.first.D.copy_(pull)

    def _outputs(self, Z: Tensor) -> Tensor:
        return outputs(self.problem.gate_slope, self.weights, Z)
