"""The obvious descent that every variant is checked against, and how fast the products can be."""

import time
from functools import partial

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.workloads import Workload
from largestep.engine.products import Shared


def descend(workload: Workload, steps: int) -> np.ndarray:
    """Loss, margin, ||w||^2 and ||grad||^2 by autograd in float64, (steps + 1, 4, R)."""
    X, y = (torch.tensor(a, dtype=torch.float64) for a in (workload.X, workload.y))
    head = None if workload.head is None else torch.tensor(workload.head, dtype=torch.float64)
    c = getattr(workload.activation, "c", 0.0)

    def phi(z):
        if workload.activation.name == "gelu":
            return torch.nn.functional.gelu(z)
        return c * z + (1 - c) * torch.logaddexp(z, torch.zeros_like(z))

    series = np.empty((steps + 1, 4, workload.runs))
    for r, stepsize in enumerate(workload.stepsizes):
        layers = [torch.tensor(layer[r], dtype=torch.float64) for layer in workload.weights]
        for t in range(steps + 1):
            leaves = [layer.requires_grad_() for layer in layers]
            h = X
            for layer in leaves if head is not None else leaves[:-1]:
                h = phi(h @ layer.T)
            q = y * (h @ (head if head is not None else leaves[-1][0]))
            loss = torch.logaddexp(-q, torch.zeros_like(q)).mean()
            grads = torch.autograd.grad(loss, leaves)
            series[t, :, r] = (
                loss.item(),
                q.min().item(),
                sum(w.square().sum().item() for w in leaves),
                sum(g.square().sum().item() for g in grads),
            )
            layers = [(w - stepsize * g).detach() for w, g in zip(leaves, grads, strict=True)]
    return series


def product_seconds(workload: Workload, repeats: int = 2) -> float:
    """Least time that the products of one step of the whole grid can take here: each shape by
    the fastest of the routes at hand; the first layer by weights or by Gram matrix, whichever
    takes less.
    """
    (n, d), runs = workload.X.shape, workload.runs

    def shared(p, q, s):
        """All runs' products of (p, q) with one (q, s): one by one, or their rows as a stack."""
        return min(runs * own(p, q, s, fixed=True), own(runs * p, q, s, fixed=True))

    def own(p, q, s, fixed=False):
        return _fastest(p, q, s, workload.dtype, repeats, fixed)

    (m, _), *others = [layer.shape[1:] for layer in workload.weights]
    first = shared(m, d, n) + shared(m, n, d)
    if n < 2 * d:
        first = min(first, shared(m, n, n))
    ways = [(out, into, n) for out, into in others]
    ways += [(out, n, into) for out, into in others] + [(into, out, n) for out, into in others]
    return first + runs * sum(own(*shape) for shape in ways)


def _fastest(p: int, q: int, s: int, dtype: str, repeats: int, fixed: bool) -> float:
    """Seconds for (p, q) times (q, s): the fastest route, its fastest repeat; the product of the
    transposes is the same one. fixed: the second is the same at every step, prepared once."""
    a = torch.randn(p, q, dtype=getattr(torch, dtype))
    b = torch.randn(q, s, dtype=a.dtype)
    a_turned, b_turned = a.T.contiguous().T, b.T.contiguous().T
    pairs = [(x, z) for x in (a, a_turned) for z in (b, b_turned)]
    pairs += [(z.T, x.T) for x, z in pairs]
    routes = [lambda x=x, z=z: x @ z for x, z in pairs]
    routes += [lambda x=x, z=z: x.numpy() @ z.numpy() for x, z in pairs]
    if dtype == "float32":
        linear = torch.ops.mkldnn._linear_pointwise
        routes += [lambda x=x, z=z: linear(x, z.T, None, "none", [], "") for x, z in pairs]
    if fixed:
        routes.append(partial(Shared(b).times, a, a.new_empty(p, s)))
    best = float("inf")
    with threadpool_limits(torch.get_num_threads(), user_api="blas"):
        for route in routes:
            route()
            for _ in range(repeats):
                begun = time.process_time()
                route()
                best = min(best, time.process_time() - begun)
    return best
