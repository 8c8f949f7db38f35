import numpy as np
import pytest
from numba import njit

from largestep.method import compiled

X = np.concatenate([-np.logspace(-300, 2.8, 20_001), [0.0], np.logspace(-300, 2.8, 20_001)])


@njit(error_model="numpy")
def softplus_of(x):
    value, slope = np.empty_like(x), np.empty_like(x)
    for i in range(len(x)):
        value[i], slope[i] = compiled.softplus(x[i])
    return value, slope


def test_softplus_and_sigmoid_to_two_units_in_the_last_place():
    value, slope = softplus_of(X)
    wide = X.astype(np.longdouble)
    decay = np.exp(-abs(wide))
    np.testing.assert_allclose(value, np.maximum(wide, 0) + np.log1p(decay), rtol=4.5e-16)
    np.testing.assert_allclose(slope, np.where(wide > 0, 1, decay) / (1 + decay), rtol=4.5e-16)


def test_softplus_at_the_ends():
    value, slope = softplus_of(np.array([-np.inf, np.inf, np.nan, -1e5]))
    np.testing.assert_allclose(value[[0, 3]], 0, atol=1e-300)
    np.testing.assert_allclose(slope[[0, 3]], 0, atol=1e-300)
    assert value[1] == np.inf
    assert slope[1] == 1
    assert np.isnan(value[2])
    assert np.isnan(slope[2])


@pytest.mark.parametrize("count", range(1, 40))
def test_a_number_does_not_depend_on_its_place(count):
    x = np.random.default_rng(0).standard_normal(40)
    value, slope = softplus_of(x)
    part_value, part_slope = softplus_of(x[40 - count :].copy())
    np.testing.assert_array_equal(part_value, value[40 - count :])
    np.testing.assert_array_equal(part_slope, slope[40 - count :])
