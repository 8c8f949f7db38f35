"""The same descent by five routes.

Each prepares a workload and returns a function of the number of steps T, which trains from the
initial weights and returns the recorded scalars, an array (T + 1, 5, R): loss, margin, ||w||^2,
||grad||^2 and mean |l'| at every step. From these all other quantities follow; peers are not
charged for them. The engine records all it ever records (rows, running quantities) and returns
its rows of the same scalars instead, (S, 5, R), with their steps.
"""

import importlib.util
import math
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.workloads import Workload
from largestep.engine.descent import Descent
from largestep.engine.problem import Problem
from largestep.engine.record import Watch
from largestep.engine.training import COLUMNS, train
from largestep.method.directions.gradient import Gradient
from largestep.method.losses.logistic import Logistic
from largestep.method.policies.constant import Constant

Trainer = Callable[[int], tuple[list[int], np.ndarray]]


def engine(workload: Workload) -> Trainer:
    """This package."""
    head = None if workload.head is None else torch.tensor(workload.head)
    X, y = torch.tensor(workload.X), torch.tensor(workload.y)
    problem = Problem(X, y, workload.activation, head, loss=Logistic())
    weights = [torch.tensor(layer) for layer in workload.weights]
    descent = Descent(Gradient(), [Constant(stepsize=float(s)) for s in workload.stepsizes])
    watch = Watch(torch.full((len(descent),), 1e-3, dtype=torch.float64), 0.35, len(weights))
    names = ("loss", "margin", "param_norm", "grad_norm")

    def run(steps):
        trained = train(problem, weights, descent, steps, watch)
        loss, margin, norm, grad = (trained.rows[:, COLUMNS.index(name)] for name in names)
        slope = torch.full_like(loss, math.nan)
        return trained.steps, torch.stack([loss, margin, norm**2, grad**2, slope], 1).numpy()

    return run


def usual(workload: Workload) -> Trainer:
    """The loop of most research code: nn.Module, SGD, autograd, .item(), run after run."""
    X, y = torch.tensor(workload.X), torch.tensor(workload.y)
    softplus = torch.nn.functional.softplus

    class Net(torch.nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.layers = torch.nn.ParameterList(torch.tensor(layer) for layer in layers)
            self.head = None if workload.head is None else torch.tensor(workload.head)

        def forward(self, h):
            layers = list(self.layers)
            for layer in layers if self.head is not None else layers[:-1]:
                h = _torch_phi(workload)(h @ layer.T)
            return h @ (self.head if self.head is not None else layers[-1][0])

    def run(steps):
        series = np.empty((steps + 1, 5, workload.runs))
        for r, stepsize in enumerate(workload.stepsizes):
            net = Net([layer[r] for layer in workload.weights])
            optimizer = torch.optim.SGD(net.parameters(), lr=stepsize)
            for t in range(steps + 1):
                optimizer.zero_grad()
                q = y * net(X)
                loss = softplus(-q).mean()
                loss.backward()
                series[t, :, r] = (
                    loss.item(),
                    q.min().item(),
                    sum(w.detach().square().sum().item() for w in net.parameters()),
                    sum(w.grad.square().sum().item() for w in net.parameters()),
                    torch.sigmoid(-q).mean().item(),
                )
                if t < steps:
                    optimizer.step()
        return list(range(steps + 1)), series

    return run


def functional(workload: Workload) -> Trainer:
    """torch.func: vmap over runs of the gradient by grad."""
    X, y = torch.tensor(workload.X), torch.tensor(workload.y)
    head = None if workload.head is None else torch.tensor(workload.head)
    start = tuple(torch.tensor(layer) for layer in workload.weights)
    stepsizes = torch.tensor(workload.stepsizes, dtype=X.dtype)[:, None, None]
    phi = _torch_phi(workload)

    def loss_of(layers):
        h = X
        for layer in layers if head is not None else layers[:-1]:
            h = phi(h @ layer.T)
        q = y * (h @ (head if head is not None else layers[-1][0]))
        loss = torch.nn.functional.softplus(-q).mean()
        return loss, (loss, q.min(), torch.sigmoid(-q).mean())

    step = torch.func.vmap(torch.func.grad(loss_of, has_aux=True))

    def run(steps):
        layers, series = [layer.clone() for layer in start], []
        for t in range(steps + 1):
            grads, (loss, margin, slope) = step(tuple(layers))
            norms = (sum(w.square().sum((1, 2)) for w in ws) for ws in (layers, grads))
            series.append(torch.stack([loss, margin, *norms, slope]))
            if t < steps:
                for w, g in zip(layers, grads, strict=True):
                    w -= stepsizes * g
        return list(range(steps + 1)), torch.stack(series).double().numpy()

    return run


def jax(workload: Workload) -> Trainer:
    """JAX: jit of lax.scan over steps, vmapped over runs. Compiled for each number of steps."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    X, y = jnp.asarray(workload.X), jnp.asarray(workload.y)
    head = None if workload.head is None else jnp.asarray(workload.head)
    start = tuple(jnp.asarray(layer) for layer in workload.weights)
    stepsizes = jnp.asarray(workload.stepsizes.astype(workload.dtype))
    c = getattr(workload.activation, "c", 0.0)

    def phi(z):
        if workload.activation.name == "gelu":
            return jax.nn.gelu(z, approximate=False)
        return c * z + (1 - c) * jax.nn.softplus(z)

    def loss_of(layers, X, y):
        h = X
        for layer in layers if head is not None else layers[:-1]:
            h = phi(h @ layer.T)
        q = y * (h @ (head if head is not None else layers[-1][0]))
        loss = jax.nn.softplus(-q).mean()
        return loss, (loss, q.min(), jax.nn.sigmoid(-q).mean())

    def squares(layers):
        return sum((w * w).sum() for w in layers)

    def descend(layers, stepsize, X, y, steps):
        def step(layers, _):
            grads, (loss, margin, slope) = jax.grad(loss_of, has_aux=True)(layers, X, y)
            scalars = jnp.stack([loss, margin, squares(layers), squares(grads), slope])
            return tuple(w - stepsize * g for w, g in zip(layers, grads, strict=True)), scalars

        return jax.lax.scan(step, layers, None, length=steps + 1)[1]

    def over_runs(layers, stepsizes, X, y, steps):
        return jax.vmap(lambda w, s: descend(w, s, X, y, steps), out_axes=2)(layers, stepsizes)

    compiled = jax.jit(over_runs, static_argnums=4)

    def run(steps):
        series = compiled(start, stepsizes, X, y, steps)
        return list(range(steps + 1)), np.asarray(series, dtype=np.float64)

    return run


def numpy(workload: Workload) -> Trainer:
    """NumPy with the gradient by hand, all runs in one matmul."""
    from scipy.special import erf, expit

    X, y, head, n = workload.X, workload.y, workload.head, len(workload.y)
    stepsizes = workload.stepsizes.astype(workload.dtype)[:, None, None]
    c = getattr(workload.activation, "c", 0.0)

    def phi(z):
        """phi and phi'."""
        if workload.activation.name == "gelu":
            probability = (1 + erf(z * z.dtype.type(math.sqrt(0.5)))) / 2
            density = np.exp(-z * z / 2) * z.dtype.type(1 / math.sqrt(2 * math.pi))
            return z * probability, probability + z * density
        return c * z + (1 - c) * np.logaddexp(z, 0), c + (1 - c) * expit(z)

    def measure(layers):
        h, inputs, slopes = X[None], [], []
        for layer in layers if head is not None else layers[:-1]:
            inputs.append(h)
            h, slope = phi(h @ layer.mT)
            slopes.append(slope)
        q = y * (h @ head if head is not None else (h @ layers[-1].mT)[..., 0])
        steepness = expit(-q)
        delta = (-y / n * steepness)[..., None]
        if head is None:
            grads = [delta.mT @ h]
            delta = delta * layers[-1]
        else:
            grads, delta = [], delta * head
        for k in reversed(range(len(slopes))):
            delta = delta * slopes[k]
            grads.insert(0, delta.mT @ inputs[k])
            if k:
                delta = delta @ layers[k]
        loss = np.logaddexp(0, -q).mean(1)
        norms = (sum((w * w).sum((1, 2)) for w in ws) for ws in (layers, grads))
        return grads, (loss, q.min(1), *norms, steepness.mean(1))

    def run(steps):
        layers = [layer.copy() for layer in workload.weights]
        series = np.empty((steps + 1, 5, workload.runs))
        for t in range(steps + 1):
            grads, series[t] = measure(layers)
            if t < steps:
                for w, g in zip(layers, grads, strict=True):
                    w -= stepsizes * g
        return list(range(steps + 1)), series

    return run


def _torch_phi(workload: Workload):
    c, F = getattr(workload.activation, "c", 0.0), torch.nn.functional
    if workload.activation.name == "gelu":
        return F.gelu
    return lambda z: c * z + (1 - c) * F.softplus(z)


VARIANTS: dict[str, Callable[[Workload], Trainer]] = {
    "engine": engine,
    "usual": usual,
    "functional": functional,
    "numpy": numpy,
}
if importlib.util.find_spec("jax"):
    VARIANTS["jax"] = jax
