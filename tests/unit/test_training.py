import math
from itertools import pairwise

import pytest
import torch
from obvious import (
    ACTIVATIONS,
    LEAKY_SOFTPLUS,
    constant,
    descend,
    five_points,
    logistic_problem,
    random_data,
    signed_head,
    xor,
)

from largestep.engine import training
from largestep.engine.record import Watch
from largestep.engine.training import COLUMNS, train
from largestep.results import train_job

STEPWISE = ("loss", "margin", "param_norm", "grad_norm", "train_accuracy")


def grid(problem, runs, depth=1, width=6, seed=0):
    """Initial weights of R runs that differ, (R, out, in) each."""
    d = problem.X.shape[1]
    sizes = [d, *[width] * depth] + ([1] if problem.head is None else [])
    generator = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(runs, out, into, generator=generator).double() / into**0.5).to(problem.X.dtype)
        for into, out in pairwise(sizes)
    ]


def trained(problem, weights, stepsizes, steps, threshold=math.nan, order=1, **options):
    stepsizes = torch.tensor(stepsizes, dtype=torch.float64)
    watch = Watch(torch.full_like(stepsizes, threshold), 0.35, order)
    return train(problem, weights, constant(stepsizes), steps, watch, **options)


def columns(result, name):
    """(S, R)"""
    return result.rows[:, COLUMNS.index(name)]


def check_against_autograd(problem, weights, stepsizes, steps, rtol=1e-9):
    result = trained(problem, weights, stepsizes, steps)
    for r, stepsize in enumerate(stepsizes):
        history, layers = descend(problem, [w[r] for w in weights], stepsize, steps)
        for name in STEPWISE:
            expected = torch.tensor([history[t][name] for t in result.steps], dtype=torch.float64)
            found = columns(result, name)[:, r]
            torch.testing.assert_close(found, expected, rtol=rtol, atol=1e-13)
        sums = torch.tensor([h["loss"] for h in history], dtype=torch.float64).cumsum(0)
        for t, value in zip(
            result.steps[1:], columns(result, "running_mean_loss")[1:, r], strict=True
        ):
            assert value == pytest.approx(sums[t - 1].item() / t, rel=1e-9)
        moved = sum((a - w[r]).square().sum() for a, w in zip(layers, weights, strict=True)).sqrt()
        assert columns(result, "displacement")[-1, r] == pytest.approx(moved.item(), rel=1e-9)
    return result


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)
def test_xor_with_every_activation(activation):
    problem = logistic_problem(*xor(), activation, signed_head(6))
    check_against_autograd(problem, grid(problem, 2), [6.0, 60.0], 300)


def test_xor_as_in_the_paper_for_ten_thousand_steps():
    problem = logistic_problem(*xor(), LEAKY_SOFTPLUS, signed_head(20))
    weights = grid(problem, 1, width=20)
    check_against_autograd(problem, weights, [20 * 30.0], 10_000)


def figure_4(steps):
    head = torch.tensor([0.5, -0.5], dtype=torch.float64)
    problem = logistic_problem(*five_points(), LEAKY_SOFTPLUS, head)
    check_against_autograd(problem, [torch.zeros(1, 2, 3).double()], [3.0], steps)


def test_figure_4():
    figure_4(5000)


@pytest.mark.slow
def test_figure_4_at_full_length():
    figure_4(100_000)


@pytest.mark.parametrize(
    "shape", [(50, 10, 10), (40, 60, 12), (2000, 20, 14), (150, 100, 40)], ids=str
)
def test_two_layer_nets_of_every_shape(shape):
    n, d, m = shape
    problem = logistic_problem(*random_data(n, d), LEAKY_SOFTPLUS, signed_head(m))
    check_against_autograd(problem, grid(problem, 2, width=m), [m * 2.0, m * 40.0], 300)


@pytest.mark.parametrize("d", [12, 40], ids=["by weights", "by Gram"])
def test_a_multilayer_perceptron(d):
    problem = logistic_problem(*random_data(30, d), ACTIVATIONS[2])
    check_against_autograd(problem, grid(problem, 2, depth=3, width=9), [0.1, 0.5], 300)


def test_float32_follows_float64_for_a_while():
    X, y = random_data(60, 40)
    problem = logistic_problem(X, y, LEAKY_SOFTPLUS, signed_head(8))
    weights = grid(problem, 2, width=8)
    single = logistic_problem(X.float(), y.float(), LEAKY_SOFTPLUS, signed_head(8, torch.float32))
    expected = trained(problem, weights, [4.0, 8.0], 200)
    found = trained(single, [w.float() for w in weights], [4.0, 8.0], 200)
    torch.testing.assert_close(columns(found, "loss"), columns(expected, "loss"), rtol=1e-5, atol=0)


def settings_of(kind):
    if kind == "xor":
        problem = logistic_problem(*xor(), LEAKY_SOFTPLUS, signed_head(6), xor())
        return problem, grid(problem, 5), [6.0, 60, 120, 180, 12]
    if kind == "direct":
        problem = logistic_problem(
            *random_data(2000, 20), LEAKY_SOFTPLUS, signed_head(14), random_data(9, 20, 1)
        )
        return problem, grid(problem, 5, width=14), [14.0, 140, 28, 56, 7]
    if kind == "gram":
        problem = logistic_problem(
            *random_data(150, 100), LEAKY_SOFTPLUS, signed_head(40), random_data(9, 100, 1)
        )
        return problem, grid(problem, 5, width=40), [40.0, 400, 80, 160, 20]
    d = 12 if kind == "mlp" else 40
    problem = logistic_problem(
        *random_data(30, d, dtype=torch.float32),
        ACTIVATIONS[2],
        test=random_data(9, d, 1, torch.float32),
    )
    return problem, grid(problem, 5, depth=2), [0.1, 0.3, 0.2, 0.05, 0.4]


kinds = pytest.mark.parametrize("kind", ["xor", "direct", "gram", "mlp", "mlp by gram"])


def same(a, b):
    return torch.equal(a.nan_to_num(123.0), b.nan_to_num(123.0))


@kinds
def test_a_run_does_not_depend_on_its_neighbours(kind):
    problem, weights, stepsizes = settings_of(kind)
    neurons = problem.head is not None
    whole = trained(problem, weights, stepsizes, 100, 0.5, neurons=neurons)
    for r in range(5):
        one = [w[r : r + 1].clone() for w in weights]
        alone = trained(problem, one, stepsizes[r : r + 1], 100, 0.5, neurons=neurons)
        assert same(alone.rows[..., 0], whole.rows[..., r])
        assert all(same(alone.running[name][0], whole.running[name][r]) for name in alone.running)
        assert all(same(alone.state[name][0], whole.state[name][r]) for name in alone.state)
        if neurons:
            assert same(alone.neurons[:, :, 0], whole.neurons[:, :, r])


@kinds
@pytest.mark.parametrize("stop", [70, 71], ids=["recorded", "unrecorded"])
def test_a_continued_run_is_an_uninterrupted_one(kind, stop):
    problem, weights, stepsizes = settings_of(kind)
    whole = trained(problem, weights, stepsizes, 150, 0.5, snapshots=4)
    begun = trained(problem, weights, stepsizes, stop, 0.5, snapshots=4)
    rest = trained(problem, weights, stepsizes, 150, 0.5, snapshots=4, start=begun.state)
    assert rest.steps == [step for step in whole.steps if step >= stop]
    assert same(rest.rows, whole.rows[-len(rest.steps) :])
    assert all(same(rest.running[name], whole.running[name]) for name in whole.running)
    assert all(same(rest.state[name], whole.state[name]) for name in whole.state)
    for one, two, all_at_once in zip(*map(train_job._apart, (begun, rest, whole)), strict=True):
        joined = one.followed_by(two)
        assert torch.equal(joined.steps, all_at_once.steps) and same(joined.rows, all_at_once.rows)
        assert joined.snapshots.keys() == all_at_once.snapshots.keys()
        for name, kept in all_at_once.snapshots.items():
            assert torch.equal(joined.snapshots[name], kept)


@kinds
def test_kept_weights_are_those_of_a_run_that_ends_there(kind):
    problem, weights, stepsizes = settings_of(kind)
    whole = trained(problem, weights, stepsizes, 20, snapshots=2)
    assert whole.snapshot_steps == [0, 1, 3, 10, 20]
    for place, step in enumerate(whole.snapshot_steps):
        ended = trained(problem, weights, stepsizes, step, snapshots=1)
        for layer, last in zip(whole.snapshots, ended.snapshots, strict=True):
            assert torch.equal(layer[:, place], last[:, -1])
    for layer, first in zip(whole.snapshots, weights, strict=True):
        assert torch.equal(layer[:, 0], first)
    assert not trained(problem, weights, stepsizes, 20).snapshots


@kinds
def test_a_grid_too_large_for_memory_is_split(kind, monkeypatch):
    problem, weights, stepsizes = settings_of(kind)
    neurons = problem.head is not None
    whole = trained(problem, weights, stepsizes, 50, neurons=neurons, snapshots=1)
    monkeypatch.setattr(training, "_memory", lambda device: 1)
    split = trained(problem, weights, stepsizes, 50, neurons=neurons, snapshots=1)
    assert same(split.rows, whole.rows)
    assert all(map(torch.equal, split.snapshots, whole.snapshots))
    assert not neurons or same(split.neurons, whole.neurons)
    assert all(same(split.running[name], whole.running[name]) for name in whole.running)
    again = trained(problem, weights, stepsizes, 80, start=split.state)
    assert same(again.rows, trained(problem, weights, stepsizes, 80, start=whole.state).rows)


def test_divergence_is_a_result_and_stays_in_its_run():
    problem = logistic_problem(*random_data(30, 12), ACTIVATIONS[2])
    weights = grid(problem, 2, depth=3, width=9)
    result = trained(problem, weights, [0.1, 1e20], 100)
    assert result.running["diverged_step"][0] == -1
    assert 0 < result.running["diverged_step"][1] < 20
    alone = trained(problem, [w[:1].clone() for w in weights], [0.1], 100)
    assert same(result.rows[..., 0], alone.rows[..., 0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_frozen_run_is_noticed(dtype):
    """Late in a large-stepsize run the update falls under the rounding unit of the weights."""
    X, y = (t.to(dtype) for t in xor())
    problem = logistic_problem(X, y, LEAKY_SOFTPLUS, signed_head(20, dtype))
    weights = [w.clone() for w in grid(problem, 2, width=20)]
    result = trained(problem, weights, [20 * 20.0, 20 * 1e6], 2000)
    moving = columns(result, "moving_fraction")
    assert moving[0].tolist() == [1, 1]
    assert moving[-1, 1] == 0
    assert moving[-1, 0] > 0


def test_neuron_margins():
    problem = logistic_problem(*five_points(), LEAKY_SOFTPLUS, torch.tensor([0.5, -0.5]).double())
    weights = grid(problem, 2, width=2)
    result = trained(problem, weights, [3.0, 1.0], 0, neurons=True)
    for r in range(2):
        for j, sign in enumerate((1, -1)):
            w = weights[0][r, j]
            margin = min(
                y * sign * (x @ w) / w.norm() for x, y in zip(problem.X, problem.y, strict=True)
            )
            assert result.neurons[0, 0, r, j] == pytest.approx(margin.item(), rel=1e-12)
            assert result.neurons[0, 1, r, j] == pytest.approx(w.norm().item(), rel=1e-12)


def test_cosine_to_half_and_test_accuracy():
    problem, weights, stepsizes = settings_of("gram")
    result = trained(problem, weights, stepsizes, 64)
    halves = {t: trained(problem, weights, stepsizes, t) for t in (32, 64)}
    points = {}
    for t, part in halves.items():
        _, layers = descend(problem, [weights[0][0]], stepsizes[0], t)
        points[t] = layers[0]
        assert part.steps[-1] == t
    cosine = torch.nn.functional.cosine_similarity(points[32].flatten(), points[64].flatten(), 0)
    assert columns(result, "cosine_to_half")[-1, 0] == pytest.approx(cosine.item(), rel=1e-9)
    steps = torch.tensor(result.steps)
    recorded = columns(result, "cosine_to_half")[:, 0].isfinite()
    assert steps[recorded].tolist() == [2, 4, 8, 16, 32, 64]
    on_test = logistic_problem(*problem.test, problem.activation, problem.head)
    expected = trained(on_test, [points[64][None]], [1.0], 0)
    assert columns(result, "test_accuracy")[-1, 0] == columns(expected, "train_accuracy")[0, 0]
