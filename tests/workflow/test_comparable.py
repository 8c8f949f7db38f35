"""Trajectories agree with an independent implementation, from a configuration to the table.

The reference below follows the conventions of docs/design.md with plain numpy, one run at a time.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from largestep.results import tables

PHI = {"name": "leaky_softplus", "c": 0.5}


def reference(X, y, W, head, stepsize, steps, wanted):
    """Loss, margin and norm of gradient descent at the steps wanted."""
    rows = {}
    for step in range(steps + 1):
        Z = X @ W.T
        softplus = np.maximum(Z, 0) + np.log1p(np.exp(-np.abs(Z)))
        against = -y * ((0.5 * Z + 0.5 * softplus) @ head)
        if step in wanted:
            losses = np.maximum(against, 0) + np.log1p(np.exp(-np.abs(against)))
            rows[step] = losses.mean(), -against.max(), np.linalg.norm(W)
        pull = -y / (1 + np.exp(-against)) / len(y)
        slope = 0.5 + 0.5 / (1 + np.exp(-Z))
        W = W - stepsize * ((pull[:, None] * head * slope).T @ X)
    return rows


def compare(project, experiment, X, y, W, head):
    frame = tables.read(project.results / "metrics" / "trajectories.parquet", experiment=experiment)
    assert len(frame)
    for stepsize, run in frame.groupby("stepsize"):
        expected = reference(X, y, W, head, stepsize, run["step"].max(), set(run["step"]))
        found = run[["loss", "margin", "param_norm"]].to_numpy()
        np.testing.assert_allclose(found, [expected[t] for t in run["step"]], rtol=1e-9)


def signs(m):
    return np.array([1 / m] * (m // 2) + [-1 / m] * (m // 2))


def test_xor(project):
    project.content["experiments"] = {
        "xor": {
            "dataset": {"source": "xor"},
            "model": {"kind": "two_layer", "width": 20, "activation": PHI},
            "train": {"eta": [1, 20, 50], "seeds": [3], "steps": 2000},
        }
    }
    project.configure()
    project.ran("--until", "metrics")
    X = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=float)
    y = np.array([-1.0, 1, 1, -1])
    compare(project, "xor", X, y, np.random.default_rng(3).standard_normal((20, 2)), signs(20))


def test_figure_4_over_100_000_steps(project):
    points = project.content["experiments"]["points"]
    project.content["experiments"] = {"points": points}
    points["train"]["steps"] = 100_000
    project.configure()
    project.ran("--until", "metrics")
    X = np.array([[0.05, 1, 2], [0.05, -2, 1], [-1, 0, 2], [0.05, -2, -2], [0.05, 1, -2]])
    y = np.array([1.0, 1, -1, 1, 1])
    compare(project, "points", X, y, np.zeros((2, 3)), np.array([0.5, -0.5]))


@pytest.mark.slow
@pytest.mark.skipif("DATA" not in os.environ, reason="needs CIFAR-10 and MNIST: set DATA")
def test_200_cifar_images_beside_mnist(project):
    project.content["experiments"] = {
        "cifar": {
            "dataset": {
                "source": "cifar10",
                "classes": ["airplane", "automobile"],
                "n": 200,
                "seed": 0,
                "preprocessing": ["center", "unit_norm"],
            },
            "model": {"kind": "two_layer", "width": 40, "activation": PHI},
            "train": {"eta": [25, 100], "seeds": [0], "steps": 1000},
        },
        "mnist": {
            "dataset": {"source": "mnist", "classes": "odd_even", "n": 100},
            "model": {"kind": "mlp", "widths": [16, 16], "activation": {"name": "gelu"}},
            "train": {"stepsize": [0.5], "seeds": [0], "steps": 20, "dtype": "float32"},
        },
    }
    project.configure()
    project.ran("--until", "metrics")
    pool = []
    for name in ("airplane", "automobile"):
        pool += sorted(
            Path(os.environ["DATA"], "cifar10-airplane-automobile/train", name).iterdir()
        )
    chosen = np.random.default_rng(0).permutation(len(pool))[:200]
    X = np.array([np.asarray(Image.open(pool[i])).ravel() / 255.0 for i in chosen])
    y = np.array([1.0 if pool[i].parent.name == "airplane" else -1.0 for i in chosen])
    X -= X.mean(0)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    W = np.random.default_rng(0).standard_normal((40, X.shape[1]))
    compare(project, "cifar", X, y, W, signs(40))
    mnist = tables.read(project.results / "metrics" / "runs.parquet", experiment="mnist")
    assert mnist["status"].tolist() == ["ok"] and mnist["final_test_accuracy"].notna().all()
