"""Slow and obvious gradient descent in numpy, giving the three result tables for tests."""

import numpy as np
import pandas as pd

XOR = (np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], float), np.array([-1, 1, 1, -1.0]))
FIVE_POINTS = (
    np.array([[0.05, 1, 2], [0.05, -2, 1], [-1, 0, 2], [0.05, -2, -2], [0.05, 1, -2]]),
    np.array([1, 1, -1, 1, 1.0]),
)


def grid(steps: int) -> list[int]:
    """Recorded steps: 0, powers of two, about 64 per decade, and the last."""
    powers = 2 ** np.arange(0, np.log2(steps) + 1e-9)
    decades = np.logspace(0, np.log10(steps), int(64 * np.log10(steps)) + 1)
    return sorted({0, steps, *powers.astype(int).tolist(), *decades.astype(int).tolist()})


def train(X, y, head, W, stepsize, steps, names, diverged_beyond=1e12, frozen_from=None):
    """One run of the two-layer net with leaky softplus, c = 0.5: frames like the result tables.

    `names` are the identity columns that are text; divergence is a loss beyond
    `diverged_beyond`; from step `frozen_from` on the weights are held.
    """
    rows, neurons, losses, separation = [], [], [], None
    recorded, status, status_step = set(grid(steps)), "ok", None
    for t in range(steps + 1):
        z = X @ W.T
        q = y * (((z + np.logaddexp(0, z)) / 2) @ head)
        loss, norm = np.logaddexp(0, -q).mean(), np.linalg.norm(W)
        if not loss < diverged_beyond:
            status, status_step = "diverged", t
            break
        losses.append(loss)
        separation = t if separation is None and q.min() > 0 else separation
        if t in recorded:
            rows.append(
                {
                    "step": t,
                    "loss": loss,
                    "margin": q.min(),
                    "normalized_margin": q.min() / norm if norm else np.nan,
                    "param_norm": norm,
                    "train_accuracy": (q > 0).mean(),
                    "moving_fraction": 1.0,
                }
            )
            for j, w in enumerate(W):
                size = np.linalg.norm(w)
                own = (y * np.sign(head[j]) * (X @ w)).min()
                margin = own / size if size else np.nan
                neurons.append((t, j, head[j], margin, size))
        if frozen_from is not None and t >= frozen_from:
            status, status_step = "frozen", frozen_from
            continue
        slope = -y / (1 + np.exp(q)) / len(y)
        W = W - stepsize * (slope[:, None] * (1 + 1 / (1 + np.exp(-z))) / 2 * head).T @ X
    rises = [t for t in range(1, len(losses)) if losses[t] > losses[t - 1] * (1 + 1e-12)]
    threshold = 1 / (2 * np.exp(np.log(2) / 2 + 2) * len(y))
    below = [t for t, loss in enumerate(losses) if loss <= threshold]
    last = rows[-1]
    run = {
        "steps": steps,
        "dtype": "float64",
        "device": "cpu",
        "status": status,
        "status_step": status_step,
        "last_increase_step": rises[-1] if rises else 0,
        "increases": len(rises),
        "separation_step": separation,
        "stable_phase_step": below[0] if below else None,
        "stable_threshold": threshold,
    } | {
        f"final_{key}": last[key]
        for key in ("loss", "margin", "normalized_margin", "param_norm", "train_accuracy")
    }
    identity = names | {"stepsize": stepsize}
    columns = ["step", "neuron", "output_weight", "neuron_margin", "neuron_norm"]
    return (
        pd.DataFrame(rows).assign(**identity),
        pd.DataFrame([run]).assign(**identity),
        pd.DataFrame(neurons, columns=columns).assign(**identity),
    )
