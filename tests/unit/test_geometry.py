"""Norms and KKT conditions at kept weights, against numpy and autograd."""

import numpy as np
import pytest
import torch
from obvious import LOGISTIC, forward, loss_and_gradient

from largestep.engine.geometry import geometry
from largestep.engine.problem import Problem
from largestep.method.activations import ReLU
from largestep.method.directions.coordinate import Coordinate
from largestep.method.directions.gradient import Gradient
from largestep.method.directions.nesterov import Nesterov
from largestep.method.directions.sign import Sign
from largestep.method.models.two_layer_both import TwoLayerBoth

MODEL = TwoLayerBoth(width=6, activation=ReLU())


def problem():
    torch.manual_seed(0)
    X = torch.randn(9, 3, dtype=torch.float64)
    return Problem.of(MODEL, LOGISTIC, X, torch.sign(X[:, 0] + 0.1 * X[:, 1]))


def points(count: int, found) -> list[torch.Tensor]:
    """Weights of which the last classify every sample correctly: two neurons and their opposite."""
    layers = [
        np.stack(each)
        for each in zip(*(MODEL.initial_layers(3, seed) for seed in range(count)), strict=True)
    ]
    layers = [torch.as_tensor(layer) for layer in layers]
    layers[0][-1, :3], layers[0][-1, 3:] = (
        sign * torch.tensor([1.0, 0.1, 0.0]).expand(3, 3) for sign in (1, -1)
    )
    return layers


@pytest.mark.parametrize("direction", [Gradient(), Sign(), Coordinate(), Nesterov()])
def test_every_number_is_what_numpy_finds(direction):
    of = problem()
    weights = points(40, of)  # more than are measured together
    found = geometry(of, weights, direction, 0.05)
    for k in range(40):
        layers = [layer[k] for layer in weights]
        scaled = [layers[0], layers[1] / 6]
        f = forward(of, scaled)
        _, _, gradients = loss_and_gradient(of, scaled)
        gradients = [gradients[0], gradients[1] / 6]
        g = np.concatenate([each.numpy().ravel() for each in gradients])
        w = np.concatenate([layer.numpy().ravel() for layer in layers])
        q = (of.y * f).numpy()
        weight = 1 / (1 + np.exp(q))
        slackness = weight @ (q / q.min() - 1) / weight.sum() if q.min() > 0 else np.nan
        expected = {
            "slackness": slackness,
            "pull": -g @ w,
            "norm_l1": np.abs(w).sum(),
            "norm_linf": np.abs(w).max(),
            "grad_norm_l1": np.abs(g).sum(),
            "grad_norm_linf": np.abs(g).max(),
        }
        for name, value in expected.items():
            assert found[name][k].item() == pytest.approx(value, rel=1e-12, nan_ok=True), name
        u = {
            "gradient": g,
            "sign": np.abs(g).sum() * np.sign(g),
            "coordinate": np.where(np.arange(len(g)) == np.abs(g).argmax(), g, 0),
        }.get(direction.name)
        if u is None:
            assert found["next_loss"][k].isnan()
            continue
        after = torch.as_tensor(w - 0.05 * u)
        there = [after[:18].view(6, 3), after[18:].view(1, 6) / 6]
        assert found["next_loss"][k].item() == pytest.approx(loss_and_gradient(of, there)[1])
    assert not found["slackness"][-1].isnan()


def test_a_kkt_point_is_one():
    """A single neuron pair along the max-margin direction of two opposite samples."""
    X = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    of = Problem.of(TwoLayerBoth(width=2, activation=ReLU()), LOGISTIC, X, X[:, 0])
    weights = [torch.tensor([[[1.0, 0], [-1.0, 0]]]), torch.tensor([[[1.0, -1.0]]])]
    found = geometry(of, [each.double() for each in weights], Gradient(), None)
    assert found["slackness"].item() == pytest.approx(0)
    g = found["pull"].item() / 2  # ||w||_2 = 2, and the alignment is 1
    _, _, gradients = loss_and_gradient(of, [weights[0][0].double(), weights[1][0].double() / 2])
    norm = torch.cat([gradients[0].flatten(), gradients[1].flatten() / 2]).norm()
    assert norm.item() == pytest.approx(g)
    assert found["next_loss"].isnan().all()
