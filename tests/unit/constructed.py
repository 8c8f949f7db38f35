"""Trajectories written down rather than trained: they satisfy every claim until changed."""

import math
from functools import cache

import numpy as np
import pandas as pd

from largestep.claims.evidence import Samples, Study
from largestep.claims.ledger import study
from largestep.configuration.experiment import Experiment
from largestep.engine.record import row_steps
from largestep.theory import thresholds

LEAKY_SOFTPLUS = {"name": "leaky_softplus", "c": 0.5}
STEPS = 2**14
MARGIN = 0.1


def experiment(source="xor", etas=(5.0,), **changes) -> Experiment:
    """XOR, the margin generator or five points with a two-layer net; digits with an MLP."""
    datasets = {
        "xor": {"source": "xor"},
        "five_points": {"source": "five_points"},
        "margin": {"source": "margin", "n": 50, "d": 10, "gamma": 0.05},
        "digits": {"source": "digits", "classes": "odd_even", "n": 20, "seed": 0},
    }
    mlp = {"kind": "mlp", "widths": [4], "activation": {"name": "gelu"}}
    net = {"kind": "two_layer", "width": 10, "activation": LEAKY_SOFTPLUS}
    train = {"seeds": [0], "steps": STEPS}
    if source == "digits":
        given = {"model": mlp, "train": train | {"stepsize": list(etas)}}
    else:
        given = {"model": net, "train": train | {"eta": list(etas)}}
    for path, value in changes.items():
        part, key = path.split("__")
        given[part] = given.get(part, {}) | {key: value}
    return Experiment.model_validate({"dataset": datasets[source], **given})


def samples(of: Experiment) -> Samples:
    """The experiment's data, whose hard margin is then computed once."""
    return _samples(of.dataset)


@cache
def _samples(dataset) -> Samples:
    if dataset.source == "digits":
        rng = np.random.default_rng(0)
        return Samples(rng.standard_normal((20, 3)), rng.choice([-1.0, 1.0], 20))
    return Samples(*dataset.points())


def ideal(of: Experiment, data: Samples, stepsize: float, seed: int = 0) -> tuple[dict, dict]:
    """A row of runs.parquet and the columns of its trajectory, for the limits of Theorem 2.2.

    L = 1 / (stepsize g^2 (t + 1)) and ||w|| = ln(1 + 1 / (n L)) / g, with margin g.
    """
    n, t = len(data.y), np.array(row_steps(0, STEPS))
    loss = 1 / (stepsize * MARGIN**2 * (t + 1.0))
    norm = np.log1p(1 / (n * loss)) / MARGIN
    threshold = thresholds.stable_threshold(of.model, data.X, stepsize)
    stable = None
    if threshold:
        # The first step, recorded or not, whose loss is at most the threshold.
        stable = max(0, math.ceil(1 / (stepsize * MARGIN**2 * threshold) - 1 - 1e-9))
    columns = {
        "step": t,
        "loss": loss,
        "margin": MARGIN * norm,
        "normalized_margin": np.full(len(t), MARGIN),
        "param_norm": norm,
        "grad_norm": loss * MARGIN,
        "running_mean_loss": np.where(t > 0, 1e-9, np.nan),
        "running_mean_slope": np.where(t > 0, 1e-9, np.nan),
        "displacement": np.where(t > 0, norm, 0.0),
        "cosine_to_half": np.where(t & (t - 1) == 0, np.cos(0.5 / np.log(t + 3.0) ** 2), np.nan),
        "train_accuracy": np.ones(len(t)),
        "test_accuracy": np.full(len(t), 0.9),
        "moving_fraction": np.ones(len(t)),
        "sharpness": np.full(len(t), np.nan),
        "flow_loss": np.full(len(t), np.nan),
    }
    facts = {
        "seed": seed,
        "descent": "gradient",
        "policy": "constant",
        "stepsize": stepsize,
        "eta": stepsize / of.model.stepsize_per_eta if of.model.stepsize_per_eta else None,
        "dtype": "float64",
        "steps": STEPS,
        "status": "ok",
        "status_step": None,
        "last_increase_step": 0,
        "increases": 0,
        "separation_step": 1,
        "stable_phase_step": stable,
        "stable_threshold": threshold,
        "normalized_margin_drawdown": 0.0,
        "gamma_a_drawdown": 0.0,
        "gamma_b_drawdown": 0.0,
        "largest_loss_rise": -1e-5,
        "smallest_norm_growth": 1e-6,
        "smallest_descent_ratio": 0.99,
    }
    return facts, columns


def frames(
    of: Experiment, change=None, seeds=(0,), start=ideal
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trajectories and runs; `change(facts, columns)` alters each run that `start` gives."""
    data, runs, rows = samples(of), [], []
    for seed in seeds:
        for stepsize in of.stepsizes:
            facts, columns = start(of, data, stepsize, seed)
            if change:
                change(facts, columns)
            runs.append(facts)
            own = {key: facts[key] for key in ("seed", "descent", "policy", "stepsize")}
            rows.append(pd.DataFrame(columns).assign(**own))
    return pd.concat(rows), pd.DataFrame(runs)


def build(of: Experiment, change=None, seeds=(0,), neurons=None, start=ideal) -> Study:
    """The study of such runs."""
    alone = pd.DataFrame() if neurons is None else neurons
    return study("constructed", of, samples(of), *frames(of, change, seeds, start), alone)
