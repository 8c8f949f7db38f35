"""Every combination of loss, model, direction and policy: right, independent, continued exactly."""

import math
from typing import get_args

import numpy as np
import pytest
import slow_methods
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obvious import gated, random_data

from largestep.configuration.experiment import Experiment
from largestep.engine.descent import Descent
from largestep.engine.problem import Problem
from largestep.engine.record import Watch
from largestep.engine.training import COLUMNS, train
from largestep.method.activations import LeakySoftplus, ReLU
from largestep.method.directions import AnyDirection
from largestep.method.directions.adam import Adam
from largestep.method.directions.coordinate import Coordinate
from largestep.method.directions.gradient import Gradient
from largestep.method.directions.nesterov import Nesterov
from largestep.method.directions.sign import Sign
from largestep.method.losses import AnyLoss
from largestep.method.losses.exponential import Exponential
from largestep.method.losses.logistic import Logistic
from largestep.method.models import MLP, AnyModel, Gated, TwoLayer, TwoLayerBoth
from largestep.method.policies import AnyPolicy
from largestep.method.policies.constant import Constant
from largestep.method.policies.inverse_sqrt import InverseSqrt

MODELS = {
    "two_layer": TwoLayer(width=6, activation=LeakySoftplus()),
    "two_layer_both": TwoLayerBoth(width=6, activation=ReLU()),
    "mlp": MLP(widths=[5, 4], activation=LeakySoftplus()),
    "gated": Gated(widths=[5, 4]),
}
LOSSES = {"logistic": Logistic(), "exponential": Exponential()}
POLICIES = {"constant": Constant, "inverse_sqrt": InverseSqrt}
STEPSIZES = (0.05, 0.3, 1.0)


def kinds(union, key="name") -> set[str]:
    """Names of the parts that a registry lists."""
    parts = get_args(union)[0]
    members = get_args(parts) or (parts,)
    return {member.model_fields[key].default for member in members}


def setting(model, loss, n=9, d=4, dtype=torch.float64):
    """A problem, and initial weights of a run for each of STEPSIZES."""
    X, y = random_data(n, d, dtype=dtype)
    problem = Problem.of(MODELS[model], LOSSES[loss], X, y, random_data(3, d, 1, dtype))
    drawn = [MODELS[model].initial_layers(d, seed) for seed, _ in enumerate(STEPSIZES)]
    layers = [torch.as_tensor(layer).to(dtype) for layer in map(np.stack, zip(*drawn, strict=True))]
    return problem, layers


def descent(policy, stepsizes=STEPSIZES, direction=None):
    policies = [POLICIES[policy](stepsize=step) for step in stepsizes]
    return Descent(direction or Gradient(), policies)


def trained(problem, weights, method, steps, **options):
    watch = Watch(torch.full((len(method),), 0.5, dtype=torch.float64), 0.3, 2)
    return train(problem, weights, method, steps, watch, **options)


def forward(model, X, layers):
    """f (n,), as it is written."""
    if model.kind == "gated":
        return gated(model.beta, X, layers)
    for layer in layers if model.head is not None else layers[:-1]:
        X = model.activation.value_and_slope(X @ layer.T)[0]
    last = torch.as_tensor(model.head)[None] if model.head is not None else layers[-1]
    return model.output_scale * (X @ last.T)[:, 0]


def obvious(model, loss, problem, layers, eta_of, steps):
    """Loss at every step, and the last weights: autograd, one run, eta_t = eta_of(t)."""
    losses = []
    for t in range(steps + 1):
        leaves = [layer.clone().requires_grad_() for layer in layers]
        q = problem.y * forward(model, problem.X, leaves)
        each = torch.nn.functional.softplus(-q) if loss == "logistic" else torch.exp(-q)
        each.mean().backward()
        losses.append(each.mean().item())
        if t < steps:
            layers = [leaf.detach() - eta_of(t) * leaf.grad for leaf in leaves]
    return losses, layers


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("model", MODELS)
def test_every_combination_does_what_autograd_does(model, loss, policy):
    problem, weights = setting(model, loss)
    found = trained(problem, weights, descent(policy), 60)
    for r, stepsize in enumerate(STEPSIZES):

        def eta(t, stepsize=stepsize):
            return stepsize if policy == "constant" else stepsize / math.sqrt(t + 1)

        losses, _ = obvious(MODELS[model], loss, problem, [w[r] for w in weights], eta, 60)
        row = dict(zip(COLUMNS, found.rows[..., r].T, strict=True))
        expected = torch.tensor(losses, dtype=torch.float64)[found.steps]
        torch.testing.assert_close(row["loss"], expected, rtol=1e-9, atol=1e-12)
        taken = [eta(t) for t in range(60)]
        times = torch.tensor([sum(taken[:t]) for t in found.steps], dtype=torch.float64)
        torch.testing.assert_close(row["time"], times, rtol=1e-12, atol=0)
        last = torch.tensor([taken[t - 1] if t else math.nan for t in found.steps]).double()
        torch.testing.assert_close(row["last_stepsize"], last, rtol=1e-6, atol=0, equal_nan=True)
        assert row["evaluations"].tolist() == [t + 1 for t in found.steps]


combinations = st.fixed_dictionaries(
    {
        "model": st.sampled_from(sorted(MODELS)),
        "loss": st.sampled_from(sorted(LOSSES)),
        "policy": st.sampled_from(sorted(POLICIES)),
        "n": st.sampled_from([5, 9, 40]),
        "d": st.sampled_from([2, 4, 30]),
        "dtype": st.sampled_from([torch.float32, torch.float64]),
        "split": st.integers(1, 39),
        "alone": st.integers(0, 2),
    }
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(combinations)
def test_neighbours_and_interruptions_change_no_bit(given):
    problem, weights = setting(
        given["model"], given["loss"], given["n"], given["d"], given["dtype"]
    )
    whole = trained(problem, weights, descent(given["policy"]), 40)
    r = given["alone"]
    one = [w[r : r + 1].clone() for w in weights]
    alone = descent(given["policy"], STEPSIZES[r : r + 1])
    begun = trained(problem, one, alone, given["split"])
    rest = trained(problem, one, alone, 40, start=begun.state)
    # The first row of a continuation repeats the last one before it.
    for step, row in zip(rest.steps[1:], rest.rows[1:], strict=True):
        expected = whole.rows[whole.steps.index(step), :, r : r + 1]
        assert torch.equal(row.nan_to_num(-1), expected.nan_to_num(-1)), step
    for name, value in whole.running.items():
        assert torch.equal(value[r : r + 1].nan_to_num(-1), rest.running[name].nan_to_num(-1)), name


def test_both_layers_begin_as_the_papers_network():
    """The same function as two_layer with the same seed, scaled for scale."""
    activation = LeakySoftplus()
    X, y = random_data(7, 3)
    both, fixed = (kind(width=4, activation=activation) for kind in (TwoLayerBoth, TwoLayer))
    outputs = []
    for model in (both, fixed):
        problem = Problem.of(model, Logistic(), X, y)
        layers = [torch.as_tensor(w)[None] for w in model.initial_layers(3, 5)]
        method = Descent(Gradient(), [Constant(stepsize=1.0)])
        outputs.append(trained(problem, layers, method, 1).rows[0, COLUMNS.index("loss")])
    torch.testing.assert_close(*outputs, rtol=1e-13, atol=0)


def test_these_tests_know_every_part():
    assert kinds(AnyLoss) == set(LOSSES)
    assert kinds(AnyModel, "kind") == set(MODELS)
    assert kinds(AnyDirection) == {*DIRECTIONS, "nesterov"}
    assert kinds(AnyPolicy) == set(NUMBERS)


# Beyond the paper


DIRECTIONS = {"gradient": Gradient(), "sign": Sign(), "coordinate": Coordinate(), "adam": Adam()}
NUMBERS = {
    "constant": {"stepsize": 0.05},
    "inverse_sqrt": {"stepsize": 0.5},
    "logarithmic": {"stepsize": 0.5, "horizon": 50},
    "loss_normalized": {"stepsize": 0.05},
    "gradient_normalized": {"stepsize": 0.02},
    "polyak": {"scale": 0.5},
    "armijo": {"stepsize": 8.0},
    "loss_based": {"stepsize": 8.0},
    "edge_of_stability": {"c": 1.0, "products": 100},
}
KINDS = {kind.model_fields["name"].default: kind for kind in get_args(get_args(AnyPolicy)[0])}


def landscape(model, loss, problem, layers):
    """Loss and gradient of one run at flat weights, by autograd."""

    def at(w):
        parts = slow_methods.apart(w, [layer.numpy() for layer in layers])
        leaves = [torch.tensor(part, requires_grad=True) for part in parts]
        q = problem.y * forward(model, problem.X, leaves)
        each = torch.nn.functional.softplus(-q) if loss == "logistic" else torch.exp(-q)
        each.mean().backward()
        return each.mean().item(), slow_methods.flat([leaf.grad.numpy() for leaf in leaves])

    return at


def sharpness(model, problem, layers):
    """lambda_max of one run at flat weights, by autograd: the whole Hessian."""
    sizes = [layer.numel() for layer in layers]

    def loss(w):
        pairs = zip(w.split(sizes), layers, strict=True)
        q = problem.y * forward(model, problem.X, [part.view_as(layer) for part, layer in pairs])
        return torch.nn.functional.softplus(-q).mean()

    def at(w):
        hessian = torch.autograd.functional.hessian(loss, torch.as_tensor(w))
        return torch.linalg.eigvalsh(hessian)[-1].item()

    return at


def check(model, direction, policy, numbers, steps=40):
    problem, weights = setting(model, "logistic")
    method = Descent(DIRECTIONS[direction], [KINDS[policy](**numbers)] * len(STEPSIZES))
    found = trained(problem, weights, method, steps)
    for r in range(len(STEPSIZES)):
        layers = [w[r] for w in weights]
        at = landscape(MODELS[model], "logistic", problem, layers)
        start = slow_methods.flat([layer.numpy() for layer in layers])
        curved = sharpness(MODELS[model], problem, layers)
        losses, taken, evaluations = slow_methods.descend(
            at, start, direction, policy, numbers, steps, curved
        )
        row = dict(zip(COLUMNS, found.rows[..., r].T.numpy(), strict=True))
        np.testing.assert_allclose(row["loss"], np.array(losses)[found.steps], rtol=1e-9)
        assert row["evaluations"].tolist() == [evaluations[t] for t in found.steps]
        times = [sum(taken[:t]) for t in found.steps]
        np.testing.assert_allclose(row["time"], times, rtol=1e-9)


@pytest.mark.parametrize("policy", NUMBERS)
@pytest.mark.parametrize("model", MODELS)
def test_every_policy_does_what_is_written(model, policy):
    check(model, "gradient", policy, NUMBERS[policy])


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("model", MODELS)
def test_every_direction_does_what_is_written(model, direction):
    check(model, direction, "constant", {"stepsize": 0.02})


@pytest.mark.parametrize("direction", ["sign", "coordinate"])
def test_line_searches_go_along_other_directions(direction):
    check("mlp", direction, "armijo", {"stepsize": 8.0})


#: Stepsizes, of which the perceptron's makes its loss increase now and then.
NON_MONOTONE = {"two_layer": 120.0, "two_layer_both": 20.0, "mlp": 6.0, "gated": 1.0}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_edge_of_stability_goes_along_every_direction(direction):
    # As curvature falls Adam's steps grow so long that rounding shows after twenty of them.
    check("mlp", direction, "edge_of_stability", {"c": 0.02, "products": 100}, steps=12)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_nesterov_is_the_method_with_two_points(model, restart):
    problem, weights = setting(model, "logistic")
    eta = NON_MONOTONE[model] if restart else 0.5
    method = Descent(Nesterov(restart=restart), [Constant(stepsize=eta)] * len(STEPSIZES))
    found, increased = trained(problem, weights, method, 40), []
    for r in range(len(STEPSIZES)):
        layers = [w[r] for w in weights]
        at = landscape(MODELS[model], "logistic", problem, layers)
        start = slow_methods.flat([layer.numpy() for layer in layers])
        losses = slow_methods.nesterov(at, start, eta, 40, restart)
        expected = np.array(losses)[found.steps]
        np.testing.assert_allclose(found.rows[:, 0, r], expected, rtol=1e-8)
        increased.append(max(np.diff(losses)) > 0)
    assert any(increased) or not restart or model != "mlp"


gradients = st.lists(st.floats(-5, 5), min_size=6, max_size=6)


@given(gradients)
def test_steepest_descent_is_dual_to_its_norm(values):
    """<g, u> = ||g||_*^2, and u is the gradient again in the Euclidean norm."""
    g = torch.tensor(values, dtype=torch.float64)
    parts = [g[:4].view(1, 2, 2), g[4:].view(1, 1, 2)]
    for direction, dual in (("sign", 1), ("coordinate", torch.inf), ("gradient", 2)):
        moves = DIRECTIONS[direction].move(parts, None, {})
        inner = sum((p * u).sum() for p, u in zip(parts, moves, strict=True))
        norm = torch.linalg.vector_norm(g, dual)
        torch.testing.assert_close(inner, norm**2, rtol=1e-12, atol=1e-12)
    (moved,) = [torch.cat([u.ravel() for u in DIRECTIONS["coordinate"].move(parts, None, {})])]
    assert (moved != 0).sum() <= 1


def test_sign_descent_looks_at_signs_and_the_sum_alone():
    g = [torch.tensor([[[1.0, -2.0], [3.0, 0.0]]])]
    rescaled = [torch.tensor([[[3.0, -1.0], [2.0, 0.0]]])]
    assert torch.equal(Sign().move(g, None, {})[0], Sign().move(rescaled, None, {})[0])


methods = st.one_of(
    st.tuples(st.sampled_from(sorted(DIRECTIONS)), st.just("constant")),
    st.tuples(st.just("gradient"), st.sampled_from(sorted(NUMBERS))),
    st.just(("sign", "armijo")),
    st.tuples(st.sampled_from(sorted(DIRECTIONS)), st.just("edge_of_stability")),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(methods, st.sampled_from(sorted(MODELS)), st.integers(1, 29), st.integers(0, 2))
def test_beyond_the_paper_too_neighbours_and_interruptions_change_no_bit(method, model, split, r):
    direction, policy = method
    problem, weights = setting(model, "logistic")

    # With few products, so that what the state keeps of the last step matters.
    numbers = {"products": 3} if policy == "edge_of_stability" else NUMBERS[policy]

    def grid(runs):
        return Descent(DIRECTIONS[direction], [KINDS[policy](**numbers)] * runs)

    whole = trained(problem, weights, grid(3), 30)
    one = [w[r : r + 1].clone() for w in weights]
    begun = trained(problem, one, grid(1), split)
    rest = trained(problem, one, grid(1), 30, start=begun.state)
    for step, row in zip(rest.steps[1:], rest.rows[1:], strict=True):
        expected = whole.rows[whole.steps.index(step), :, r : r + 1]
        assert torch.equal(row.nan_to_num(-1), expected.nan_to_num(-1)), step


# The configuration


BASE = {
    "dataset": {"source": "xor"},
    "model": {"kind": "two_layer", "width": 4, "activation": {"name": "leaky_softplus"}},
    "train": {"seeds": [0], "steps": 10},
}


TWO = {"name": "constant", "stepsize": 2}


def described(**train) -> Experiment:
    return Experiment.model_validate(BASE | {"train": BASE["train"] | train})


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({}, "give exactly one of eta, stepsize and grid"),
        ({"eta": [1], "grid": {"policy.stepsize": [1]}}, "give exactly one"),
        (
            {"eta": [1], "policy": {"name": "constant", "stepsize": 2}},
            "policy.stepsize: is given by",
        ),
        ({"grid": {"policy.eta": [1]}}, "a grid of constant is over policy.stepsize"),
        ({"grid": {"stepsize": [1]}}, "a grid of constant is over policy.stepsize"),
        ({"grid": {"policy.stepsize": [1, 1]}}, "policy.stepsize: values must differ"),
        (
            {"policy": {"name": "constant", "stepsize": 2}, "grid": {"policy.stepsize": [1]}},
            "already",
        ),
        ({"stepsize": [1], "policy": {"name": "newton"}}, "newton"),
        ({"stepsize": [1], "policy": {"name": "polyak"}}, "the policy polyak has no stepsize"),
        (
            {"grid": {"policy.c": [0.1]}, "policy": {"name": "armijo"}},
            "policy.stepsize: is missing",
        ),
        ({"grid": {"policy.c": [2]}, "policy": {"name": "armijo", "stepsize": 1}}, "less than 1"),
        (
            {"stepsize": [1], "policy": {"name": "armijo"}, "direction": {"name": "adam"}},
            "armijo takes steps back, which adam cannot",
        ),
    ],
)
def test_inconsistent_methods_are_one_line(train, message):
    with pytest.raises(ValueError, match=message):
        described(**train)


def test_a_grid_may_be_spelled_three_ways():
    etas, steps, grid = (
        described(eta=[1, 2]),
        described(stepsize=[4, 8]),
        described(grid={"policy.stepsize": [4, 8]}),
    )
    assert etas.policies == steps.policies == grid.policies
    assert [e.etas for e in (etas, steps, grid)] == [(1, 2)] * 3
    assert described(policy={"name": "inverse_sqrt", "stepsize": 3}).stepsizes == (3.0,)


def test_a_grid_over_another_number_tells_runs_apart_by_their_policy():
    found = described(policy={"name": "armijo", "stepsize": 2}, grid={"policy.c": [0.1, 0.3]})
    assert found.stepsizes == found.etas == (None, None)
    assert [policy.c for policy in found.policies] == [0.1, 0.3]
    assert len({policy.full_label for policy in found.policies}) == 2
    assert described(policy={"name": "polyak"}).grid == ("policy", (None,))
