"""What the claims on steepest descent and on stepsize policies make of special runs."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from constructed import build
from examples_beyond import FLAVORS, policies
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from largestep.claims import steepest
from largestep.claims.registered import CLAIMS
from largestep.claims.verdicts import Verdict
from largestep.method.losses.exponential import Exponential
from largestep.method.losses.logistic import Logistic
from largestep.results import norms

CLAIM = {claim.id: claim for claim in CLAIMS}
LOSSES = {"logistic": Logistic(), "exponential": Exponential()}


# Steepest descent


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_the_correction_of_the_soft_margin_is_that_of_the_proofs(loss):
    """P8, for a step that lowers the loss and for one that raises it."""
    train = FLAVORS.train.model_copy(update={"loss": LOSSES[loss]})
    study = build(FLAVORS.model_copy(update={"train": train}))
    run = replace(study.runs[0], facts=study.runs[0].facts | {"stepsize": 0.1})
    now, n, order = 0.02, study.n, 2
    psi, total = -math.log(n * now), n * now
    u = math.expm1(total)
    theta = 1.0
    if loss == "logistic":
        theta = u / ((1 + u) * total) * math.log(u) / math.log(total)
    for after in (0.9 * now, 1.2 * now):
        rows = pd.DataFrame({"loss": [now], "next_loss": [after], "grad_norm": [0.3]})
        rows["param_norm"] = 5.0
        share = theta * order * now / (0.3 * 5) if after < now else 1 / psi
        lost = order * math.log1p(0.1 * 0.3 / 5) - math.log1p(math.log(now / after) * share)
        found = steepest._correction(study, run, rows, "l2")
        assert found.item() == pytest.approx(max(lost, 0))


@np.errstate(over="ignore", invalid="ignore")  # a run that diverges has no such step
@settings(deadline=None, max_examples=20)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["logistic", "exponential"]),
    st.sampled_from(["l1", "l2", "linf"]),
    st.floats(-3, -0.5),
)
def test_the_soft_margin_falls_by_the_correction_at_most(seed, loss, norm, exponent):
    """Steepest descent in numpy on a two-layer ReLU net, both layers trained, step by step."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((4, 3)), np.array([1.0, 1, -1, -1])
    w = np.concatenate([rng.standard_normal(5 * 3), rng.standard_normal(5)])
    train = FLAVORS.train.model_copy(update={"loss": LOSSES[loss]})
    study = build(FLAVORS.model_copy(update={"train": train}))
    rows = []
    for _ in range(300):
        W, a = w[:15].reshape(5, 3), w[15:]
        z = np.maximum(X @ W.T, 0)
        q = y * (z @ a)
        value = np.logaddexp(0, -q) if loss == "logistic" else np.exp(-q)
        pull = (1 / (1 + np.exp(q)) if loss == "logistic" else value) * y / 4
        g = -np.concatenate([((pull[:, None] * (z > 0) * a).T @ X).ravel(), z.T @ pull])
        sizes = {"l1": np.abs(w).sum(), "l2": np.linalg.norm(w), "linf": np.abs(w).max()}
        dual = {"l1": np.abs(g).max(), "l2": np.linalg.norm(g), "linf": np.abs(g).sum()}
        rows.append({"loss": value.mean(), "size": sizes[norm], "dual": dual[norm]})
        first = np.arange(20) == np.abs(g).argmax()
        step = {"l1": np.sign(g) * first, "l2": g / max(dual["l2"], 1e-300), "linf": np.sign(g)}
        w = w - 10.0**exponent * dual[norm] * step[norm]
    rows = pd.DataFrame(rows)
    rows = rows.assign(next_loss=rows["loss"].shift(-1), next_size=rows["size"].shift(-1))
    zero = math.log(2) if loss == "logistic" else 1.0
    rows = rows[(rows["loss"] < zero / 4) & (rows["next_loss"] < zero / 4) & (rows["loss"] > 1e-12)]
    assume(len(rows))
    _, weights, gradient = norms.NORMS[norm]
    renamed = rows.rename(columns={"size": weights, "dual": gradient})
    run = replace(study.runs[0], facts=study.runs[0].facts | {"stepsize": 10.0**exponent})
    lost = steepest._correction(study, run, renamed, norm)
    before, after = (-np.log(4 * rows[name]) for name in ("loss", "next_loss"))
    gain = np.log(after / before) - 2 * np.log(rows["next_size"] / rows["size"])
    assert (gain >= -lost - 1e-9).all()


# Stepsize policies


@pytest.mark.parametrize(
    ("constant", "to_1e_4"), [(1e2, Verdict.HOLDS), (3.0, Verdict.INCONCLUSIVE)]
)
def test_a_smallest_stepsize_that_does_not_get_there_bounds_the_share_from_below(constant, to_1e_4):
    """Its evaluations, and so the best constant one's share, are more than is known."""

    def change(facts, columns):
        if facts["stepsize"] == 1:
            columns["loss"] = np.maximum(columns["loss"], 0.02)

    study = policies(gain=200.0, constant=constant, change=change)
    found = [finding.verdict for finding in CLAIM["constant-has-half-the-gain"].check(study)]
    assert found == [Verdict.HOLDS, to_1e_4]
