import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from largestep.engine.problem import SCALARS
from largestep.engine.record import Running, Watch, row_steps, snapshot_steps

EPS = torch.finfo(torch.float64).eps
counts = st.integers(0, 3_000_000)


@given(counts, counts)
def test_rows_of_a_longer_run_extend_those_of_a_shorter(a, b):
    short, long = sorted((a, b))
    assert set(row_steps(0, short)) - {short} <= set(row_steps(0, long))
    kept = [step for step in row_steps(0, long) if step <= short]
    assert [step for step in row_steps(0, short) if step in kept] == kept


@given(counts, counts)
def test_rows_after_a_start_are_the_rest_of_the_grid(a, b):
    start, stop = sorted((a, b))
    assert row_steps(start, stop) == [step for step in row_steps(0, stop) if step >= start]


@given(counts)
def test_rows_hold_the_ends_and_the_powers_of_two(stop):
    steps = row_steps(0, stop)
    assert steps == sorted(set(steps))
    assert steps[0] == 0
    assert steps[-1] == stop
    assert {2**k for k in range(22) if 2**k <= stop} <= set(steps)


@given(counts, counts, st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
def test_weights_are_kept_at_recorded_steps_of_a_grid_that_extends(a, b, per_decade):
    start, stop = sorted((a, b))
    steps = snapshot_steps(0, stop, per_decade)
    assert steps[0] == 0 and steps[-1] == stop and set(steps) <= set(row_steps(0, stop))
    assert snapshot_steps(start, stop, per_decade) == [step for step in steps if step >= start]
    assert set(snapshot_steps(0, start, per_decade)) - {start} <= set(steps)
    assert not snapshot_steps(0, stop, 0)


def test_rows_are_about_64_per_decade():
    steps = row_steps(0, 10**6)
    assert sum(10**5 <= step < 10**6 for step in steps) == pytest.approx(64, abs=5)


def series(runs, count, seed):
    """Scalars (count, 5, R) that fall, rise and cross zero; a third of them never change."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, len(SCALARS), runs, generator=generator, dtype=torch.float64)
    noise[torch.rand(count, generator=generator) < 1 / 3] = 0
    walk = noise.cumsum(0) / 8
    trend = torch.linspace(0, 4, count, dtype=torch.float64)[:, None]
    values = torch.exp(walk)
    values[:, 0] *= torch.exp(-trend)
    values[:, 1] = walk[:, 1] - 1 + trend
    return values


def slow(scalars, watch, stepsize, threshold, n):
    """The running quantities of one run, step by step; scalars is a list of five numbers each."""
    found = {
        "loss_sum": 0.0,
        "slope_sum": 0.0,
        "last_increase_step": 0,
        "increases": 0,
        "diverged_step": -1,
        "separation_step": -1,
        "stable_phase_step": -1,
        "largest_loss_rise": -math.inf,
        "smallest_norm_growth": math.inf,
        "smallest_descent_ratio": math.inf,
        "normalized_margin_drawdown": -math.inf,
        "gamma_a_drawdown": -math.inf,
        "gamma_b_drawdown": -math.inf,
    }
    peaks = {}
    for t, (loss, margin, squared_norm, _, slope) in enumerate(scalars):
        found["loss_sum"] += loss
        found["slope_sum"] += slope
        if not all(map(math.isfinite, scalars[t])) and found["diverged_step"] < 0:
            found["diverged_step"] = t
        if margin > 0 and found["separation_step"] < 0:
            found["separation_step"] = t
        was_stable = found["stable_phase_step"] >= 0
        if loss <= threshold and not was_stable:
            found["stable_phase_step"] = t
        if t:
            loss_before, _, squared_before, squared_grad_before, _ = scalars[t - 1]
            if loss > loss_before * (1 + 32 * EPS * (1 + abs(math.log(loss_before)))):
                found["increases"] += 1
                found["last_increase_step"] = t
            if was_stable and (loss, squared_norm) != (loss_before, squared_before):
                worst = {
                    "largest_loss_rise": (max, (loss - loss_before) / loss_before),
                    "smallest_norm_growth": (min, math.sqrt(squared_norm / squared_before) - 1),
                    "smallest_descent_ratio": (
                        min,
                        (loss_before - loss) / (stepsize * squared_grad_before),
                    ),
                }
                for name, (pick, value) in worst.items():
                    found[name] = pick(found[name], value)
        if found["stable_phase_step"] >= 0:
            size = math.sqrt(squared_norm) ** watch.order
            smooth = -math.log(n * loss)
            for name, value in {
                "normalized_margin": margin / size,
                "gamma_a": smooth / size,
                "gamma_b": (smooth - watch.kappa) / size,
            }.items():
                peaks[name] = max(peaks.get(name, -math.inf), value)
                found[f"{name}_drawdown"] = max(found[f"{name}_drawdown"], peaks[name] - value)
    return found


def digested(scalars, watch, stepsizes, cuts, digest=Running.digest):
    running = Running(watch, stepsizes, 5, EPS)
    edges = [0, *sorted(cuts), len(scalars)]
    for first, last in pairwise(edges):
        if last > first:
            digest(running, scalars[first:last], first)
    return running.state


@pytest.mark.parametrize("digest", [Running.digest, Running._digest_tensors])
@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.sets(st.integers(1, 199), max_size=8), st.integers(1, 4))
def test_running_quantities_are_those_of_a_slow_loop(digest, seed, cuts, order):
    scalars, runs = series(3, 200, seed), 3
    watch = Watch(torch.tensor([0.3, math.nan, 0.05]).double(), 0.35, order)
    stepsizes = torch.tensor([1.0, 2.0, 3.0]).double()
    found = digested(scalars, watch, stepsizes, cuts, digest)
    whole = digested(scalars, watch, stepsizes, set(), digest)
    for r in range(runs):
        threshold = watch.stable_threshold[r].item()
        expected = slow(scalars[..., r].tolist(), watch, stepsizes[r].item(), threshold, 5)
        for name, value in expected.items():
            assert found[name][r].item() == pytest.approx(value, rel=1e-9, abs=1e-12), name
    for name in found:
        assert torch.equal(found[name], whole[name]), name


@pytest.mark.parametrize("stepsizes", [None, torch.ones(3).double()])
def test_compiled_code_and_tensors_agree_on_what_is_not_finite(stepsizes):
    """Losses that are 0, infinite or not a number, weights that vanish; some runs never settle."""
    scalars = series(3, 60, 1)
    scalars[30:34, 0, 0] = 0
    scalars[34, 0, 0] = 1
    scalars[20:, 2, 1] = 0
    scalars[40:, :, 2], scalars[50:, :, 2] = torch.inf, torch.nan
    watch = Watch(torch.tensor([0.5, 0.5, torch.nan]).double(), 0.35, 2)
    compiled, tensors = (
        digested(scalars, watch, stepsizes, {31}, digest)
        for digest in (Running.digest, Running._digest_tensors)
    )
    for name, value in tensors.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-14, atol=0, equal_nan=True)


def test_the_step_of_divergence_is_noticed_run_by_run():
    scalars = series(2, 20, 0)
    scalars[7:, :, 1] = torch.nan
    watch = Watch(torch.full((2,), 0.1).double(), 0.0, 1)
    found = digested(scalars, watch, torch.ones(2).double(), {5})
    assert found["diverged_step"].tolist() == [-1, 7]
    clean = digested(
        scalars[..., :1], Watch(watch.stable_threshold[:1], 0.0, 1), torch.ones(1).double(), {5}
    )
    for name, value in clean.items():
        assert torch.equal(found[name][:1], value), name
