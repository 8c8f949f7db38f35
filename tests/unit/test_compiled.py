import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from scipy import stats

from largestep.method import compiled
from largestep.method.normal import normal

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


#: Prints the loss of a two-layer net by the compiled pass and by tensors, for each given pair.
PAIRS = """
import sys, torch
from functools import partial
from obvious import random_data
from largestep.engine.first_layer import ByWeights
from largestep.engine.networks import CompiledByWeights, TwoLayer
from largestep.engine.problem import SCALARS, Problem
from largestep.method import models
from largestep.method.losses import exponential, logistic

losses = {"logistic": logistic.Logistic(), "exponential": exponential.Exponential()}
for pair in sys.argv[1:]:
    activation, loss = pair.split("/")
    model = models.TwoLayer(width=4, activation={"name": activation}, scale=3)
    problem = Problem.of(model, losses[loss], *random_data(9, 4))
    for kind in (CompiledByWeights, partial(TwoLayer, form=ByWeights)):
        network = kind(problem, [torch.tensor(model.initial_layers(4, 0)[0])[None]])
        scalars = torch.empty(len(SCALARS), 1, dtype=torch.float64)
        network.measure(scalars)
        print(scalars[0].item())
"""


def test_code_kept_on_disk_by_several_processes_is_not_mixed_up(tmp_path):
    """Each compiles one kind of network; another one then finds all of them there."""
    here = str(Path(__file__).parent)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": here}

    def losses(*pairs):
        command = [sys.executable, "-c", PAIRS, *pairs]
        process = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        )
        return np.array(process.stdout.split(), dtype=float).reshape(-1, 2)

    pairs = ("leaky_softplus/logistic", "leaky_softplus/exponential", "leaky_gelu/logistic")
    for pair in pairs:
        losses(pair)
    compiled, tensors = losses(*pairs).T
    np.testing.assert_allclose(compiled, tensors, rtol=1e-12)
    assert len(set(compiled)) == len(pairs)


@njit(error_model="numpy")
def normal_of(x, probability, density):
    for i in range(len(x)):
        probability[i], density[i] = normal(x[i])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_normal_distribution_in_the_precision_of_its_argument(dtype):
    x = np.concatenate([np.linspace(-13, 13, 200_001), [0.0, -0.0]]).astype(dtype)
    probability, density = np.empty_like(x), np.empty_like(x)
    normal_of(x, probability, density)
    unit = 4 * (1 + x.astype(float) ** 2) * np.finfo(dtype).eps
    expected = stats.norm.cdf(x.astype(float)), stats.norm.pdf(x.astype(float))
    for found, true in zip((probability, density), expected, strict=True):
        normal_range = true > np.finfo(dtype).tiny
        error = abs(found - true) / true
        assert (error < unit)[normal_range].all()
        assert abs(found - true)[~normal_range].max(initial=0) <= np.finfo(dtype).tiny
        assert abs(found - true).max() < 2 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_normal_distribution_at_the_ends(dtype):
    x = np.array([-np.inf, -1e6, 1e6, np.inf, np.nan], dtype=dtype)
    probability, density = np.empty_like(x), np.empty_like(x)
    normal_of(x, probability, density)
    np.testing.assert_array_equal(probability, [0, 0, 1, 1, np.nan])
    np.testing.assert_array_equal(density, [0, 0, 0, 0, np.nan])
