"""Slow and obvious gradient descent in numpy, giving the three result tables for tests."""

import numpy as np
import pandas as pd

from largestep.configuration.experiment import Experiment
from largestep.results import tables

XOR = {
    "dataset": {"source": "xor"},
    "model": {
        "kind": "two_layer",
        "width": 4,
        "activation": {"name": "leaky_softplus", "c": 0.5},
    },
    "train": {"eta": [1, 30], "seeds": [0], "steps": 300},
}
FIVE_POINTS = {
    "dataset": {"source": "five_points"},
    "model": {
        "kind": "two_layer",
        "output_weights": [0.5, -0.5],
        "initial_weights": "zero",
        "activation": {"name": "leaky_softplus", "c": 0.5},
    },
    "train": {"stepsize": [3.0], "seeds": [0], "steps": 3000, "record": {"neurons": True}},
    "figure": {"panels": ["loss", "normalized_margin", "neuron_margins"]},
}


def trained(
    description: dict,
    name: str = "here",
    diverge: dict[tuple[int, float], int] | None = None,
    freeze: dict[tuple[int, float], int] | None = None,
) -> tuple[Experiment, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The experiment and its trajectories, runs and neurons.

    diverge and freeze: step at which the run of a (seed, step taken) stops being finite, or from
    which its weights are held.
    """
    experiment = Experiment.model_validate(description)
    X, y = experiment.dataset.points()
    parts = []
    for seed in experiment.train.seeds:
        for stepsize, eta in zip(experiment.stepsizes, experiment.etas, strict=True):
            identity = {
                "experiment": name,
                "dataset": experiment.dataset.key,
                "model": experiment.model.label,
                "activation": experiment.model.activation_label,
                "loss_function": "logistic",
                "descent": "gradient",
                "policy": "constant",
                "seed": seed,
                "stepsize": stepsize,
                "eta": eta,
            }
            (W,) = experiment.model.initial_layers(X.shape[1], seed)
            halted = {"diverge": diverge or {}, "freeze": freeze or {}}
            halted = {how: runs.get((seed, stepsize)) for how, runs in halted.items()}
            frames = _run(
                X, y, experiment.model.head, W, stepsize, experiment.train.steps, **halted
            )
            parts.append([frame.assign(**identity) for frame in frames])
    schemas = (tables.TRAJECTORIES, tables.RUNS, tables.NEURONS)
    frames = [
        pd.concat(frames, ignore_index=True).reindex(columns=schema.names)
        for frames, schema in zip(zip(*parts, strict=True), schemas, strict=True)
    ]
    return experiment, *frames


def grid(steps: int) -> set[int]:
    """Recorded steps: 0, powers of two, about 64 per decade, and the last."""
    decades = np.logspace(0, np.log10(steps), int(64 * np.log10(steps)) + 1)
    powers = 2 ** np.arange(np.log2(steps) + 1e-9)
    return {0, steps, *powers.astype(int).tolist(), *decades.astype(int).tolist()}


def _run(X, y, head, W, stepsize, steps, diverge, freeze):
    """One run of the two-layer net with leaky softplus, c = 0.5."""
    rows, neurons, losses, separation = [], [], [], None
    recorded = grid(steps)
    for t in range(steps + 1):
        gone = diverge is not None and t >= diverge
        z = X @ W.T
        q = y * (((z + np.logaddexp(0, z)) / 2) @ head)
        loss, norm = np.logaddexp(0, -q).mean(), np.linalg.norm(W)
        if not gone:
            losses.append(loss)
            separation = t if separation is None and q.min() > 0 else separation
        if t in recorded:
            values = {
                "loss": loss,
                "margin": q.min(),
                "normalized_margin": q.min() / norm if norm else np.nan,
                "param_norm": norm,
                "train_accuracy": (q > 0).mean(),
                "time": t * stepsize,
            }
            rows.append({"step": t} | (dict.fromkeys(values, np.nan) if gone else values))
            for j, w in enumerate(W):
                size, own = np.linalg.norm(w), (y * np.sign(head[j]) * (X @ w)).min()
                margin = own / size if size else np.nan
                neurons.append((t, j, head[j], margin, size))
        if freeze is None or t < freeze:
            slope = -y / (1 + np.exp(q)) / len(y)
            W = W - stepsize * (slope[:, None] * (1 + 1 / (1 + np.exp(-z))) / 2 * head).T @ X
    rises = [t for t in range(1, len(losses)) if losses[t] > losses[t - 1] * (1 + 1e-12)]
    threshold = 1 / (2 * np.exp(np.log(2) / 2 + 2) * len(y))
    below = [t for t, loss in enumerate(losses) if loss <= threshold]
    status = "diverged" if diverge is not None else "ok" if freeze is None else "frozen"
    run = {
        "steps": steps,
        "dtype": "float64",
        "device": "cpu",
        "status": status,
        "status_step": diverge if diverge is not None else freeze,
        "last_increase_step": rises[-1] if rises else 0,
        "increases": len(rises),
        "separation_step": separation,
        "stable_phase_step": below[0] if below else None,
        "stable_threshold": threshold,
        **{f"final_{key}": v for key, v in rows[-1].items() if key not in ("step", "time")},
    }
    columns = ["step", "neuron", "output_weight", "neuron_margin", "neuron_norm"]
    return pd.DataFrame(rows), pd.DataFrame([run]), pd.DataFrame(neurons, columns=columns)
