"""Intervals against SciPy's, and against how often they contain the truth."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from largestep.claims.statistics import half_interval, log_log_slope


@settings(deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=2, max_size=8))
def test_the_interval_of_a_mean_is_student_s(values):
    assume(np.ptp(values) > 1e-6)
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert half_interval(values) == pytest.approx((high - low) / 2)


def test_a_single_value_has_no_interval():
    assert half_interval([1.0]) == math.inf


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=3, max_size=8))
def test_a_slope_and_its_interval_are_those_of_least_squares(y):
    assume(max(y) > 1.001 * min(y))  # SciPy gives nan for a constant
    x = 2.0 ** np.arange(len(y))
    slope, half = log_log_slope([(x, y)])
    line = stats.linregress(np.log(x), np.log(y))
    assert slope == pytest.approx(line.slope, abs=1e-9)
    assert half == pytest.approx(line.stderr * stats.t.ppf(0.975, len(y) - 2), abs=1e-6)


def test_groups_share_the_slope_alone():
    x = np.array([1.0, 2.0, 4.0])
    slope, half = log_log_slope([(x, 7 / x), (x, 100 / x), (x[1:], 3 / x[1:])])
    assert slope == pytest.approx(-1)
    assert half == pytest.approx(0, abs=1e-9)


def test_two_points_do_not_know_their_slope_s_error():
    slope, half = log_log_slope([([1.0, 2.0], [1.0, 4.0])])
    assert slope == pytest.approx(2)
    assert half == math.inf


def test_the_interval_contains_the_slope_as_often_as_it_says():
    rng, x, times = np.random.default_rng(0), np.array([16.0, 32.0, 64.0]), 2000
    inside = 0
    for _ in range(times):
        noisy = [(x, np.exp(0.1 * rng.standard_normal(3)) / x) for _ in range(2)]
        slope, half = log_log_slope(noisy)
        inside += abs(slope + 1) <= half
    assert inside / times == pytest.approx(0.95, abs=0.02)
