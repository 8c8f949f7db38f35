"""The obvious descent that every variant is checked against, and how fast the products can be."""

import time

import numpy as np
import torch

from benchmarks.workloads import Workload


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
    the fastest of the routes at hand, in the form (by weights or by Gram matrix) that needs less.
    """
    n, d = workload.X.shape
    if workload.head is None:
        sizes = [layer.shape[1:] for layer in workload.weights]
        shapes = [(n, into, out) for out, into in sizes] + [(out, n, into) for out, into in sizes]
        shapes += [(n, out, into) for out, into in sizes[1:]]
        return workload.runs * sum(_fastest(*s, workload.dtype, repeats) for s in shapes)
    m = len(workload.head)
    direct = [(n, d, m), (m, n, d)]
    ways = [direct] if n >= 2 * d else [direct, [(n, n, m)]]
    return workload.runs * min(
        sum(_fastest(*s, workload.dtype, repeats) for s in way) for way in ways
    )


def _fastest(p: int, q: int, s: int, dtype: str, repeats: int) -> float:
    """Seconds for (p, q) times (q, s): the fastest route, its fastest repeat."""
    a = torch.randn(p, q, dtype=getattr(torch, dtype))
    b = torch.randn(q, s, dtype=a.dtype)
    a_turned, b_turned = a.T.contiguous().T, b.T.contiguous().T
    routes = [lambda x=x, z=z: x @ z for x in (a, a_turned) for z in (b, b_turned)]
    if dtype == "float32":
        linear = torch.ops.mkldnn._linear_pointwise
        routes += [
            lambda x=x, z=z: linear(x, z.T, None, "none", [], "")
            for x in (a, a_turned)
            for z in (b, b_turned)
        ]
    best = float("inf")
    for route in routes:
        route()
        for _ in range(repeats):
            begun = time.process_time()
            route()
            best = min(best, time.process_time() - begun)
    return best
