import math

import pytest
import torch
from obvious import ACTIVATIONS, phi

from largestep.method.activations import (
    GELU,
    HuberizedReLU,
    LeakyHuberizedReLU,
    LeakySoftplus,
    numerical_constants,
)

GRID = torch.linspace(-40, 40, 800_001, dtype=torch.float64)
names = pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)


def derivatives(activation, z):
    z = z.clone().requires_grad_()
    value = phi(activation, z)
    (first,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), first


@names
def test_value_and_slope_are_those_of_autograd(activation):
    value, slope = activation.value_and_slope(GRID.clone())
    expected_value, expected_slope = derivatives(activation, GRID)
    torch.testing.assert_close(value, expected_value, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-12, atol=1e-12)


@names
def test_value_and_pull_back_agree_with_value_and_slope(activation):
    value, slope = activation.value_and_slope(GRID)
    delta = torch.cos(GRID)
    torch.testing.assert_close(activation.value(GRID), value, rtol=1e-12, atol=1e-12)
    pulled = activation.pull_back(delta, GRID)
    torch.testing.assert_close(pulled, delta * slope, rtol=1e-12, atol=1e-12)


@names
def test_input_is_left_alone(activation):
    z, delta = GRID[::1000].clone(), GRID[::1000].cos()
    activation.value_and_slope(z)
    activation.value(z)
    activation.pull_back(delta, z)
    assert torch.equal(z, GRID[::1000])
    assert torch.equal(delta, z.cos())


@names
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_overflow(activation, dtype):
    z = torch.tensor([-1e6, -800, -89, 89, 800, 1e6], dtype=dtype)
    value, slope = activation.value_and_slope(z)
    assert value.isfinite().all()
    assert slope.isfinite().all()
    torch.testing.assert_close(slope[3:], torch.ones(3, dtype=dtype))


@names
def test_constants_are_the_suprema(activation):
    value, slope = activation.value_and_slope(GRID)
    constants = activation.constants()
    assert constants.kappa == pytest.approx((value - slope * GRID).abs().max().item(), abs=1e-6)
    assert constants.lip == pytest.approx(slope.abs().max().item(), abs=1e-6)
    assert constants.alpha == pytest.approx(slope.min().item(), abs=1e-6)
    # A divided difference of the slope is a mean of phi'', so never above its supremum.
    z = torch.linspace(-10, 10, 2_000_001, dtype=torch.float64)
    curvature = activation.value_and_slope(z)[1].diff().abs().max().item() / 1e-5
    if constants.curvature < math.inf:
        assert constants.curvature == pytest.approx(curvature, abs=1e-6)
    else:  # a jump of the slope: one divided by the grid's distance
        assert curvature == pytest.approx((constants.lip - constants.alpha) / 1e-5)


@names
def test_constants_found_numerically_are_the_closed_forms(activation):
    exact, found = activation.constants(), numerical_constants.constants(activation)
    for name in ("kappa", "lip", "alpha"):
        assert getattr(found, name) == pytest.approx(getattr(exact, name), abs=1e-9)
    if exact.curvature < math.inf:  # where the slope jumps, no derivative shows it
        assert found.curvature == pytest.approx(exact.curvature, abs=1e-9)


def test_constants_follow_the_parameters():
    assert HuberizedReLU(name="huberized_relu", h=0.5).constants().curvature == 2
    leaky = LeakySoftplus(name="leaky_softplus", c=0.2).constants()
    assert (leaky.alpha, leaky.curvature) == (0.2, pytest.approx(0.2))


def test_label_says_name_and_parameters():
    assert GELU(name="gelu").label == "gelu"
    leaky = LeakyHuberizedReLU(name="leaky_huberized_relu", h=2.0, c=0.1)
    assert leaky.label == "leaky huberized relu (c = 0.1, h = 2)"
