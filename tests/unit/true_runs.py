"""True runs of gradient descent, from numpy written out step by step, for the claims to judge."""

from functools import cache

import numpy as np
import pandas as pd
from constructed import experiment, samples

from largestep.configuration.experiment import Experiment
from largestep.engine.record import row_steps, snapshot_steps
from largestep.theory import thresholds

#: Experiments that between them let every claim of two-layer nets decide.
XOR = experiment("xor", [5.0, 10.0, 20.0, 30.0], model__width=20, train__steps=2**13)
MARGIN = experiment("margin", [256.0, 320.0, 400.0], train__steps=2**11)


@cache
def frames(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trajectories and runs of XOR or MARGIN, seed 0."""
    return train({"xor": XOR, "margin": MARGIN}[name])


def run(of: Experiment, data: object, stepsize: float, seed: int = 0) -> tuple[dict, dict]:
    """As `constructed.ideal`, a row of runs.parquet and the columns of a trajectory, but true."""
    trajectories, runs = frames(of.dataset.source)
    rows = trajectories[trajectories["stepsize"] == stepsize].drop(columns=["seed", "stepsize"])
    facts = runs.astype(object).where(runs.notna(), None).set_index("stepsize", drop=False)
    columns = {name: column.to_numpy(copy=True) for name, column in rows.items()}
    return facts.loc[stepsize].to_dict() | {"seed": seed}, columns


def train(of: Experiment) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All stepsizes at once; phi = (z + softplus(z)) / 2, seed 0."""
    data, h = samples(of), np.array(of.stepsizes)
    X, y, c, T = data.X, data.y, of.model.head, of.train.steps
    W = np.stack([of.model.initial_layers(X.shape[1], 0)[0]] * len(h))
    start, halves = W.copy(), {}
    f = thresholds.smoothness(of.model, X)
    level = np.array([thresholds.stable_threshold(of.model, X, step) for step in h])
    recorded, kept = set(row_steps(0, T)), set(snapshot_steps(0, T, 16))
    rows, scalars, sums = [], [], np.zeros((2, len(h)))
    for t in range(T + 1):
        z = np.einsum("rmd,nd->rnm", W, X)
        gate = 1 / (1 + np.exp(-z))
        q = y * (((z + np.logaddexp(0, z)) / 2) @ c)
        loss, pull = np.logaddexp(0, -q).mean(1), 1 / (1 + np.exp(q))
        delta = -(pull * y / len(y))[:, :, None] * (1 + gate) / 2 * c
        gradient = np.einsum("rnm,nd->rmd", delta, X)
        norm, slope = _norms(W), _norms(gradient)
        scalars.append((loss, q.min(1) / norm, norm, slope))
        if t & (t - 1) == 0:
            halves[t] = W.copy()
        if t in recorded:
            power = t > 0 and t & (t - 1) == 0 and t // 2 in halves
            cosine = (
                (W * halves[t // 2]).sum((1, 2)) / norm / _norms(halves[t // 2]) if power else 0
            )
            values = {
                "loss": loss,
                "margin": q.min(1),
                "normalized_margin": q.min(1) / norm,
                "param_norm": norm,
                "grad_norm": slope,
                "running_mean_loss": sums[0] / max(t, 1) if t else np.full(len(h), np.nan),
                "running_mean_slope": sums[1] / max(t, 1) if t else np.full(len(h), np.nan),
                "displacement": _norms(W - start),
                "cosine_to_half": cosine if power else np.full(len(h), np.nan),
                "sharpness": [
                    _sharpness(X, c, *each) if t in kept and W[0].size <= 40 else np.nan
                    for each in zip(q, pull, y * pull, gate, strict=True)
                ],
            }
            rows.append(pd.DataFrame({"step": t, "stepsize": h, **values}))
        sums += loss, pull.mean(1)
        W = W - h[:, None, None] * gradient
    trajectories = pd.concat(rows, ignore_index=True).assign(
        seed=0, moving_fraction=1.0, train_accuracy=1.0, test_accuracy=np.nan, flow_loss=np.nan
    )
    each = zip(h, of.etas, level, np.array(scalars).transpose(2, 1, 0), strict=True)
    facts = [_facts(step, eta, low, *series, len(y), f.kappa) for step, eta, low, series in each]
    return trajectories, pd.DataFrame(facts).assign(steps=T)


def _norms(W: np.ndarray) -> np.ndarray:
    return np.sqrt((W**2).sum((1, 2)))


def _sharpness(X, c, q, pull, signed, gate) -> float:
    """Largest eigenvalue of the Hessian of the mean loss, the whole matrix written down."""
    n, m = gate.shape
    grads = ((1 + gate) / 2 * c)[:, :, None] * X[:, None, :]
    grads = grads.reshape(n, -1)
    H = (grads * (pull * (1 - pull) / n)[:, None]).T @ grads
    bend = -(signed / n)[:, None] * gate * (1 - gate) / 2 * c
    d = X.shape[1]
    for j in range(m):
        H[j * d : (j + 1) * d, j * d : (j + 1) * d] += (X * bend[:, j, None]).T @ X
    return float(np.linalg.eigvalsh(H)[-1])


def _facts(stepsize, eta, level, loss, margin, norm, slope, n, kappa) -> dict:
    """A row of runs.parquet from the loss, normalized margin, norms at every step."""
    rises = np.flatnonzero(np.diff(loss) > 32e-16 * (1 + np.abs(np.log(loss[:-1]))) * loss[:-1]) + 1
    below, right = np.flatnonzero(loss <= level), np.flatnonzero(margin > 0)
    facts = {
        "seed": 0,
        "descent": "gradient",
        "policy": "constant",
        "stepsize": stepsize,
        "eta": eta,
        "dtype": "float64",
        "status": "ok",
        "status_step": None,
        "last_increase_step": int(rises[-1]) if len(rises) else 0,
        "increases": len(rises),
        "separation_step": int(right[0]) if len(right) else None,
        "stable_phase_step": int(below[0]) if len(below) else None,
        "stable_threshold": level,
    }
    s = below[0] if len(below) else len(loss)
    late, size = loss[s:], norm[s:]
    smooth = -np.log(n * late)
    falls = (late[:-1] - late[1:]) / late[:-1]
    found = {
        "normalized_margin_drawdown": _drawdown(margin[s:]),
        "gamma_a_drawdown": _drawdown(smooth / size),
        "gamma_b_drawdown": _drawdown((smooth - kappa) / size),
        "largest_loss_rise": -falls.min(initial=np.inf),
        "smallest_norm_growth": (size[1:] / size[:-1] - 1).min(initial=np.inf),
        "smallest_descent_ratio": (falls * late[:-1] / (stepsize * slope[s:-1] ** 2)).min(
            initial=np.inf
        ),
    }
    return facts | {key: value if np.isfinite(value) else None for key, value in found.items()}


def _drawdown(values: np.ndarray) -> float:
    return (np.maximum.accumulate(values) - values).max(initial=-np.inf)
