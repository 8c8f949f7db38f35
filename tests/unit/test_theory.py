"""Thresholds and bounds: closed forms, brute force, and trajectories of plain gradient descent."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from obvious import phi

from largestep.data.points import XOR, FivePoints, Margin
from largestep.method.models import MLP, TwoLayer
from largestep.theory import bounds, thresholds
from largestep.theory.hard_margin import hard_margin

XOR_DATA = XOR(source="xor").points()
FIVE_POINTS = FivePoints(source="five_points").points()


def two_layer(activation="leaky_softplus", **words) -> TwoLayer:
    words = words or {"width": 4}
    given = {"kind": "two_layer", "activation": {"name": activation}, **words}
    return TwoLayer.model_validate(given)


def descend(X, y, model, stepsize, steps, seed=0):
    """Loss, G, ||grad||, ||w||, margin and ||w - w_0|| at steps 0..steps, one by one."""
    c, W = model.head, model.initial_layers(X.shape[1], seed)[0]
    start, rows = W, []
    for _ in range(steps + 1):
        z = torch.tensor(X @ W.T)
        value, slope = (part.numpy() for part in model.activation.value_and_slope(z))
        margins = y * (value @ c)
        pull = 1 / (1 + np.exp(margins))
        grad = -((pull * y)[:, None] * slope * c).T @ X / len(y)
        rows.append(
            (
                np.logaddexp(0, -margins).mean(),
                pull.mean(),
                np.linalg.norm(grad),
                np.linalg.norm(W),
                margins.min(),
                np.linalg.norm(W - start),
            )
        )
        W = W - stepsize * grad
    return np.array(rows).T


def test_threshold_is_the_formula_of_the_paper():
    X, _ = XOR_DATA
    for eta in (0.1, 5, 50):
        kappa, radius2 = math.log(2) / 2, 2
        expected = min(1 / (2 * math.exp(kappa + 2) * 4), 1 / ((4 + 2 / 8) * radius2 * eta))
        assert thresholds.stable_threshold(two_layer(width=20), X, 20 * eta) == pytest.approx(
            expected
        )


def test_an_mlp_has_no_threshold():
    mlp = MLP.model_validate({"kind": "mlp", "widths": [4], "activation": {"name": "gelu"}})
    assert thresholds.stable_threshold(mlp, XOR_DATA[0], 0.1) is None
    assert bounds.separable(mlp, XOR_DATA[0], 0.1) is None


def test_c1_goes_with_eta_and_c2_with_n():
    X, _ = XOR_DATA
    c1, c2 = bounds.phase_constants(two_layer(width=20), X)
    assert c1 == pytest.approx((4 + 2 / 8) * 2)
    assert c2 == pytest.approx(2 * math.exp(math.log(2) / 2 + 2))
    assert bounds.phase_time(two_layer(width=20), X, 1000) == pytest.approx(1000 * c1)
    assert bounds.phase_time(two_layer(width=20), X, 1) == pytest.approx(4 * c2 * math.log(4 * c2))


@given(st.floats(1e-2, 1e4))
def test_only_this_pairing_makes_the_threshold_of_theorem_2_2(eta):
    """The poster prints c1 and c2 the other way round, which is the same at eta = n only."""
    assume(abs(eta - len(XOR_DATA[1])) > 1e-3)
    (X, y), model = XOR_DATA, two_layer(width=20)
    c1, c2 = bounds.phase_constants(model, X)
    threshold = thresholds.stable_threshold(model, X, eta * model.m)
    assert threshold == pytest.approx(1 / max(c1 * eta, c2 * len(y)))
    assert threshold != pytest.approx(1 / max(c2 * eta, c1 * len(y)))


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["softplus", "leaky_softplus", "gelu", "silu", "leaky_huberized_relu"]),
    st.lists(st.floats(-2, 2).filter(lambda c: abs(c) > 0.1), min_size=1, max_size=4),
)
def test_constants_bound_the_network_at_random_points(seed, name, head):
    """rho, beta and kappa against gradients and Hessians by automatic differentiation."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((3, 2))
    model = two_layer(name, output_weights=head)
    found = thresholds.smoothness(model, X)
    c, W = torch.tensor(model.head), torch.tensor(rng.standard_normal((len(head), 2)) * 3)
    for x in torch.tensor(X):

        def f(w, x=x):
            return phi(model.activation, w.view(-1, 2) @ x) @ c

        w = W.flatten().requires_grad_()
        grad = torch.autograd.functional.jacobian(f, w)
        hessian = torch.autograd.functional.hessian(f, w)
        assert grad.norm() ** 2 <= found.rho2 * (1 + 1e-12)
        assert torch.linalg.matrix_norm(hessian, 2) <= found.beta * (1 + 1e-12)
        assert abs(f(w) - grad @ w) <= found.kappa * (1 + 1e-12)


def test_mean_loss_bound_is_the_least_over_b():
    net, stepsize, start = bounds.Separable(0.03, 1.7, 0.35, 10), 160.0, 9.0
    steps = np.array([1, 10, 1000, 10**6, 10**9])
    b = np.concatenate([[0], np.logspace(-3, 6, 200_001)])
    for t, found in zip(steps, bounds.mean_loss(net, stepsize, start, steps), strict=True):
        squares = (start + stepsize * net.turn + math.sqrt(10) * b) ** 2 / (2 * stepsize * t)
        least = (np.logaddexp(0, net.kappa - net.push * b) + squares).min()
        assert found <= least * (1 + 1e-12)
        assert found == pytest.approx(least, rel=1e-7)


@given(
    st.floats(0.05, 1),
    st.floats(0, 1),
    st.floats(0.01, 1),
    st.integers(1, 50),
    st.floats(-3, 4),
    st.floats(0, 50),
)
def test_the_paper_s_closed_bound_is_never_below_ours(alpha, kappa, gamma, m, exponent, start):
    """With |phi'| <= 1, ||x_i|| <= 1 and output weights +-1/m, as it is stated."""
    eta, steps = 10.0**exponent, np.array([1, 2, 10, 10**3, 10**6])
    net = bounds.Separable(alpha * gamma, 1 / (2 * gamma * math.sqrt(m)), kappa, m)
    closed = bounds.closed_mean_loss(
        bounds.PaperNet(alpha, kappa, 0.5, gamma, m), eta, start, steps
    )
    assert (bounds.mean_loss(net, m * eta, start, steps) <= closed * (1 + 1e-9)).all()


def test_transition_step_is_where_the_bound_meets_the_threshold():
    net = bounds.Separable(0.03, 1.7, 0.35, 10)
    found = bounds.transition_step(net, 160.0, 9.0, 1e-3)
    assert bounds.mean_loss(net, 160.0, 9.0, np.array([found]))[0] <= 1e-3
    assert bounds.mean_loss(net, 160.0, 9.0, np.array([found / 1.1]))[0] > 1e-3
    assert bounds.transition_step(net, 160.0, 9.0, 1e-300) == math.inf


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["leaky_softplus", "leaky_gelu", "leaky_silu", "leaky_huberized_relu"]),
    st.sampled_from([{"width": 2}, {"width": 6}, {"output_weights": [0.5, -0.5, 0.2]}]),
    st.floats(-1, 4),
)
def test_theorems_3_2_and_4_1_on_real_trajectories(seed, name, shape, exponent):
    """The running mean of the loss and the sum of G stay below their bounds, whatever the step."""
    X, y = Margin(source="margin", n=6, d=3, gamma=0.2, seed=seed).points()
    model, stepsize = two_layer(name, **shape), 10.0**exponent
    loss, slope, _, norm, _, moved = descend(X, y, model, stepsize, 200, seed)
    net = bounds.separable(model, X, hard_margin(X, y)[0])
    steps = np.arange(1, 201)
    bound = bounds.mean_loss(net, stepsize, norm[0], steps)
    assert (np.cumsum(loss)[:-1] / steps <= bound * (1 + 1e-12)).all()
    count = bounds.slope_sum(net, stepsize, moved[1:])
    assert (np.cumsum(slope)[:-1] <= count * (1 + 1e-12)).all()
    assert (slope >= np.minimum(loss / 2, 1 / (2 * len(y))) * (1 - 1e-12)).all()


@settings(deadline=None, max_examples=15)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["leaky_softplus", "leaky_huberized_relu"]),
    st.sampled_from([2, 6]),
    st.floats(-0.5, 3),
)
def test_theorem_4_1_with_its_constants_on_real_trajectories(seed, name, width, exponent):
    """In the paper's normalization: s <= tau, and the loss after s below its bound."""
    X, y = Margin(source="margin", n=4, d=3, gamma=0.4, seed=seed).points()
    model, eta = two_layer(name, width=width), 10.0**exponent
    loss, _, _, norm, _, _ = descend(X, y, model, eta * width, 700, seed)
    below = loss <= thresholds.stable_threshold(model, X, eta * width)
    assume(below.any())
    s, phi = below.argmax(), model.activation.constants()
    net = bounds.PaperNet(phi.alpha, phi.kappa, phi.curvature, hard_margin(X, y)[0], width)
    assert s <= bounds.latest_transition(net, len(y), eta, norm[0])
    elapsed = np.arange(1, len(loss) - s)
    assert (loss[s + 1 :] <= bounds.late_loss(net, eta, elapsed)).all()


def test_tau_is_the_largest_of_its_five_terms():
    net = bounds.PaperNet(alpha=0.5, kappa=0.25, curvature=0.5, gamma=0.1, m=4)
    unit, samples = 128 * 2 / 0.05**2, 4 * math.exp(2.25) * 50
    tau = partial(bounds.latest_transition, net, 50)
    assert tau(1e4, 0.0) == pytest.approx(unit * 10 * 1e4)
    assert tau(100.0, 0.0) == pytest.approx(unit * samples)
    both = (10 * 0.1 + samples) / 0.1
    assert tau(0.1, 0.0) == pytest.approx(unit * both * math.log(both))
    assert tau(0.1, 1e3) == pytest.approx(unit * both * 1e3 / 2)


def test_the_count_is_sharp_for_one_neuron_and_one_sample():
    """With one positive neuron on one point and phi' = alpha it leaves no room at all."""
    X, y = np.array([[1.0, 0.0]]), np.array([1.0])
    model = two_layer("leaky_huberized_relu", output_weights=[1.0], initial_weights=[[-1e3, 0.0]])
    _, slope, *_, moved = descend(X, y, model, 0.1, 50)
    count = bounds.slope_sum(bounds.separable(model, X, 1.0), 0.1, moved[1:])
    assert np.cumsum(slope)[:-1] == pytest.approx(count, rel=1e-9)


@settings(deadline=None, max_examples=15)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["leaky_softplus", "gelu", "silu", "huberized_relu"]),
    st.floats(0.5, 2.5),
)
def test_theorem_2_2_on_real_trajectories(seed, name, exponent):
    """From the threshold on: descent, norm, gamma_b and gamma_c, and the two lines for 1/L."""
    X, y = Margin(source="margin", n=4, d=3, gamma=0.4, seed=seed).points()
    model, stepsize = two_layer(name), 10.0**exponent
    loss, _, grad, norm, margin, _ = descend(X, y, model, stepsize, 700, seed)
    below = loss <= thresholds.stable_threshold(model, X, stepsize)
    assume(below.any())
    s = below.argmax()
    loss, grad, norm, margin = (part[s:] for part in (loss, grad, norm, margin))
    assert (margin > 0).all()
    assert (loss[:-1] - loss[1:] >= stepsize / 2 * grad[:-1] ** 2 * (1 - 1e-9)).all()
    assert (norm[1:] >= norm[:-1]).all()

    f, n = thresholds.smoothness(model, X), len(y)
    gamma_b = (-np.log(n * loss) - f.kappa) / norm
    modified = bounds.modified_margin(f, n, stepsize, loss, norm)
    assert (np.diff(modified) >= -1e-12).all()
    assert (np.exp(modified) <= margin / norm * (1 + 1e-12)).all()  # Lemma A.10
    fall = (1 - gamma_b / np.maximum.accumulate(gamma_b)).max()
    threshold = thresholds.stable_threshold(model, X, stepsize)
    steps = np.arange(len(loss))
    assert fall <= bounds.gamma_b_fall(f, n, stepsize, threshold, steps, loss, norm) + 1e-12
    lower, upper = bounds.loss_bracket(f, n, stepsize, steps, loss, norm)
    assert (lower * loss <= 1 + 1e-9).all()
    assert (1 / loss <= upper * (1 + 1e-9)).all()


def test_corrections_to_gamma_b_cover_a_late_first_record():
    """Leaving out the records near the start of the phase can only make the bound larger."""
    model, (X, y) = two_layer(width=20), XOR_DATA
    loss, _, _, norm, _, _ = descend(X, y, model, 400.0, 2000)
    threshold = thresholds.stable_threshold(model, X, 400.0)
    s = (loss <= threshold).argmax()
    f, steps = thresholds.smoothness(model, X), np.arange(len(loss) - s)

    def allowed(kept):
        return bounds.gamma_b_fall(
            f, 4, 400.0, threshold, steps[kept], loss[s:][kept], norm[s:][kept]
        )

    assert allowed(slice(None)) <= allowed(slice(3, None, 5)) <= allowed(slice(10, None, 40))
    assert 0 < allowed(slice(None)) < 0.05
    assert (
        bounds.gamma_b_fall(f, 4, 1e6, threshold, np.array([1000]), loss[-1:], norm[-1:])
        == math.inf
    )
