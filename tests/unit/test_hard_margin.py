"""The hard margin against a brute-force search over active constraints, and against an SVM."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from largestep.data.points import XOR, FivePoints, Margin
from largestep.theory.hard_margin import hard_margin


def brute_force(Z: np.ndarray) -> float | None:
    """1 / min ||w|| with Z w >= 1, over the least-norm solutions of every set of d equations."""
    n, d = Z.shape
    best = None
    for size in range(1, min(n, d) + 1):
        for active in combinations(range(n), size):
            w = np.linalg.lstsq(Z[list(active)], np.ones(size), rcond=None)[0]
            if (Z @ w > 1 - 1e-9).all() and (best is None or np.linalg.norm(w) < best):
                best = np.linalg.norm(w)
    return best and 1 / best


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 4), st.floats(-1, 1))
def test_hard_margin_is_the_largest(seed, n, d, shift):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.choice([-1.0, 1.0], n)
    X[:, 0] += shift * y
    expected, found = brute_force(y[:, None] * X), hard_margin(X, y)
    if expected is None:
        assert found is None
    else:
        margin, u = found
        assert margin == pytest.approx(expected, rel=1e-9)
        assert np.linalg.norm(u) == pytest.approx(1)
        assert (y * (X @ u)).min() == pytest.approx(margin)


def test_margins_that_are_known():
    assert hard_margin(*XOR(source="xor").points()) is None
    margin, u = hard_margin(*FivePoints(source="five_points").points())
    assert margin == pytest.approx(0.05)
    assert u == pytest.approx([1, 0, 0], abs=1e-12)
    found, _ = hard_margin(*Margin(source="margin", n=50, d=10, gamma=0.05).points())
    assert 0.05 <= found < 0.1


def test_agrees_with_a_support_vector_machine_beyond_n_dimensions():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 60)), rng.choice([-1.0, 1.0], 40)
    Z = y[:, None] * X
    # Mirror images force the intercept to zero; libsvm keeps products in float32.
    machine = SVC(kernel="linear", C=1e8, tol=1e-8)
    machine.fit(np.vstack([Z, -Z]), np.repeat([1, -1], len(Z)))
    assert hard_margin(X, y)[0] == pytest.approx(1 / np.linalg.norm(machine.coef_), rel=1e-4)


def test_a_sample_at_the_origin_cannot_be_separated():
    assert hard_margin(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([1.0, -1.0])) is None
