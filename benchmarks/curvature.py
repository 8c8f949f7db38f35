"""W6: products with the Hessian, and the sharpness from them, by four routes, in float64.

Peers differentiate the loss automatically; the sharpness is ARPACK's with each route's products,
from one start and to one tolerance, so that the number of products is the same.
"""

import importlib.util
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.workloads import Workload, small_images, small_perceptron
from largestep.engine.hessian import hessian_at
from largestep.engine.problem import Problem
from largestep.engine.sharpness import top_eigenvalues
from largestep.method.losses.logistic import Logistic

TOLERANCE, PRODUCTS = 1e-3, 300

Product = Callable[[np.ndarray], np.ndarray]


def engine(workload: Workload) -> Product:
    """This package, prepared at the point, as `torch.func.linearize` or JAX would be."""
    hessian = _hessian(workload)
    return lambda v: hessian.product(torch.from_numpy(v)).numpy()


def twice(workload: Workload) -> Product:
    """autograd twice: the gradient's graph is kept, each product goes back through it."""
    layers = [torch.tensor(layer[0]).requires_grad_() for layer in workload.weights]
    loss = _loss(workload)(tuple(layers))
    grads = torch.autograd.grad(loss, layers, create_graph=True)
    flat = torch.cat([g.flatten() for g in grads])

    def product(v):
        found = torch.autograd.grad(flat, layers, torch.from_numpy(v), retain_graph=True)
        return torch.cat([f.flatten() for f in found]).numpy()

    return product


def functional(workload: Workload) -> Product:
    """torch.func: jvp of grad."""
    layers = tuple(torch.tensor(layer[0]) for layer in workload.weights)
    gradient = torch.func.grad(_loss(workload))

    def product(v):
        parts = torch.from_numpy(v).split([layer.numel() for layer in layers])
        moves = tuple(p.view_as(w) for p, w in zip(parts, layers, strict=True))
        _, found = torch.func.jvp(gradient, (layers,), (moves,))
        return torch.cat([f.flatten() for f in found]).numpy()

    return product


def jax(workload: Workload) -> Product:
    """JAX: jit of the jvp of grad, linearized at the point."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    X, y = jnp.asarray(workload.X), jnp.asarray(workload.y)
    head = None if workload.head is None else jnp.asarray(workload.head)
    layers = tuple(jnp.asarray(layer[0]) for layer in workload.weights)
    c = getattr(workload.activation, "c", 0.0)

    def phi(z):
        if workload.activation.name == "gelu":
            return jax.nn.gelu(z, approximate=False)
        return c * z + (1 - c) * jax.nn.softplus(z)

    def loss(layers, X, y):
        h = X
        for layer in layers if head is not None else layers[:-1]:
            h = phi(h @ layer.T)
        return jax.nn.softplus(-y * (h @ (head if head is not None else layers[-1][0]))).mean()

    def along(layers, v, X, y):
        moves, start = [], 0
        for layer in layers:
            moves.append(v[start : start + layer.size].reshape(layer.shape))
            start += layer.size
        _, found = jax.jvp(lambda w: jax.grad(loss)(w, X, y), (layers,), (tuple(moves),))
        return jnp.concatenate([f.ravel() for f in found])

    compiled = jax.jit(along)
    return lambda v: np.asarray(compiled(layers, v, X, y))


ROUTES: dict[str, Callable[[Workload], Product]] = {
    "engine": engine,
    "usual": twice,
    "functional": functional,
}
if importlib.util.find_spec("jax"):
    ROUTES["jax"] = jax


def measure(quick: bool) -> list[dict]:
    """One entry for each network and route: seconds of a product, and of the sharpness."""
    rounds = 3 if quick else 9
    return [entry for each in (small_images(), small_perceptron()) for entry in _of(each, rounds)]


def _of(workload: Workload, rounds: int) -> list[dict]:
    routes = {name: prepare(workload) for name, prepare in ROUTES.items()}
    size = sum(layer[0].size for layer in workload.weights)
    v = np.random.default_rng(0).standard_normal(size)
    expected = routes["usual"](v)
    times: dict[str, list[float]] = {name: [] for name in routes}
    for name, product in routes.items():
        error = np.abs(product(v) - expected).max() / np.abs(expected).max()
        if not error < 1e-10:
            raise RuntimeError(f"{workload.name}: {name} is wrong (relative error {error:.1e})")
    for _ in range(rounds):
        for name, product in routes.items():
            times[name].append(_seconds(lambda product=product: product(v), 5))
    products = {name: statistics.median(each) for name, each in times.items()}
    sharpness = {name: _sharpness(workload, product) for name, product in routes.items()}
    value, whole = _own_sharpness(workload)
    for name, (found, _) in sharpness.items():
        if abs(found / value - 1) > 2 * TOLERANCE:
            raise RuntimeError(f"{workload.name}: {name} finds {found}, the engine {value}")
    seconds = {name: each for name, (_, each) in sharpness.items()} | {"engine": whole}
    return [
        {
            "workload": workload.name,
            "variant": name,
            "seconds_per_product": products[name],
            "seconds_per_sharpness": seconds[name],
        }
        for name in routes
    ]


def _sharpness(workload: Workload, product: Product) -> tuple[float, float]:
    """Its value by ARPACK with these products, and the seconds that it took."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    size = sum(layer[0].size for layer in workload.weights)
    operator = LinearOperator((size, size), product, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)
    begun = time.process_time()
    (value,) = eigsh(
        operator, 1, which="LA", v0=start, ncv=8, tol=TOLERANCE, return_eigenvectors=False
    )
    return float(value), time.process_time() - begun


def _own_sharpness(workload: Workload) -> tuple[float, float]:
    """The same as the package computes it, its preparation at the point included."""
    begun = time.process_time()
    (value,) = top_eigenvalues(_hessian(workload), 1, TOLERANCE, PRODUCTS)
    return float(value), time.process_time() - begun


def _hessian(workload: Workload):
    head = None if workload.head is None else torch.tensor(workload.head)
    X, y = torch.tensor(workload.X), torch.tensor(workload.y)
    problem = Problem(X, y, workload.activation, head, loss=Logistic())
    return hessian_at(problem, [torch.tensor(layer[0]) for layer in workload.weights])


def _loss(workload: Workload):
    X, y = torch.tensor(workload.X), torch.tensor(workload.y)
    head = None if workload.head is None else torch.tensor(workload.head)
    c, F = getattr(workload.activation, "c", 0.0), torch.nn.functional

    def phi(z):
        return F.gelu(z) if workload.activation.name == "gelu" else c * z + (1 - c) * F.softplus(z)

    def loss(layers):
        h = X
        for layer in layers if head is not None else layers[:-1]:
            h = phi(h @ layer.T)
        return F.softplus(-y * (h @ (head if head is not None else layers[-1][0]))).mean()

    return loss


def _seconds(work: Callable[[], object], repeats: int) -> float:
    begun = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - begun) / repeats
