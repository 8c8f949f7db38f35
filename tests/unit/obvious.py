"""Slow, obvious gradient descent by autograd, and small data sets, to test the engine against."""

import math
from functools import partial

import torch

from largestep.engine.descent import Descent
from largestep.engine.problem import Problem
from largestep.method.activations import ALL, Activation
from largestep.method.directions.gradient import Gradient
from largestep.method.losses.logistic import Logistic
from largestep.method.policies.constant import Constant

ACTIVATIONS = [kind() for kind in ALL]
LOGISTIC = Logistic()

#: A problem with the paper's loss.
logistic_problem = partial(Problem, loss=LOGISTIC)
LEAKY_SOFTPLUS = next(a for a in ACTIVATIONS if a.name == "leaky_softplus")


def constant(stepsizes):
    """Gradient descent with these stepsizes, one for each run."""
    return Descent(Gradient(), [Constant(stepsize=float(step)) for step in stepsizes])


def softplus(z):
    return torch.logaddexp(z, torch.zeros_like(z))


_F = torch.nn.functional
_BASES = {
    "softplus": softplus,
    "gelu": _F.gelu,
    "silu": _F.silu,
    "relu": torch.relu,
    "huberized_relu": lambda z, h: torch.where(
        z < 0, 0.0, torch.where(z < h, z * z / (2 * h), z - h / 2)
    ),
}


def phi(activation: Activation, z):
    """The activation by torch's own functions."""
    options = activation.model_dump(exclude={"name", "c"})
    if activation.name.startswith("leaky_"):
        base = _BASES[activation.name.removeprefix("leaky_")]
        return activation.c * z + (1 - activation.c) * base(z, **options)
    return _BASES[activation.name](z, **options)


def gated(beta, X, layers):
    """f (n,) of the gated network: U_1 .. U_D, V_1 .. V_D, v."""
    depth = len(layers) // 2
    u, h = X, torch.ones_like(X[:, :1])
    for U, V in zip(layers[:depth], layers[depth:-1], strict=True):
        u = u @ U.T
        h = torch.sigmoid(beta * u) * (h @ V.T)
    return (h @ layers[-1].T)[:, 0]


def forward(problem, layers):
    if problem.gate_slope is not None:
        return gated(problem.gate_slope, problem.X, layers)
    h = problem.X
    for layer in layers if problem.head is not None else layers[:-1]:
        h = phi(problem.activation, h @ layer.T)
    return h @ problem.head if problem.head is not None else (h @ layers[-1].T)[:, 0]


def loss_and_gradient(problem, layers):
    """f (n,), the loss, and its gradients, at float64 leaves copied from `layers`."""
    leaves = [layer.detach().clone().requires_grad_() for layer in layers]
    f = forward(problem, leaves)
    loss = softplus(-problem.y * f).mean()
    return f.detach(), loss.item(), torch.autograd.grad(loss, leaves)


def descend(problem, layers, stepsize, steps):
    """One run, step by step: a list of dicts for steps 0..steps, and the last weights."""
    layers, history = [layer.clone() for layer in layers], []
    for step in range(steps + 1):
        f, loss, gradients = loss_and_gradient(problem, layers)
        history.append(
            {
                "loss": loss,
                "margin": (problem.y * f).min().item(),
                "param_norm": math.sqrt(sum(layer.square().sum().item() for layer in layers)),
                "grad_norm": math.sqrt(sum(g.square().sum().item() for g in gradients)),
                "slope": torch.sigmoid(-problem.y * f).mean().item(),
                "train_accuracy": (problem.y * f > 0).double().mean().item(),
            }
        )
        if step < steps:
            layers = [w - stepsize * g for w, g in zip(layers, gradients, strict=True)]
    return history, layers


def signed_head(m, dtype=torch.float64):
    return torch.cat([torch.full((m // 2,), 1 / m), torch.full((m - m // 2,), -1 / m)]).to(dtype)


def xor():
    X = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    return X, -X[:, 0] * X[:, 1]


def five_points():
    X = [[0.05, 1, 2], [0.05, -2, 1], [-1, 0, 2], [0.05, -2, -2], [0.05, 1, -2]]
    return torch.tensor(X, dtype=torch.float64), torch.tensor([1, 1, -1, 1, 1.0]).double()


def random_data(n, d, seed=0, dtype=torch.float64):
    """Unit rows with random labels."""
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, d, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 2, (n,), generator=generator) * 2.0 - 1
    return (X / X.norm(dim=1, keepdim=True)).to(dtype), y.to(dtype)
