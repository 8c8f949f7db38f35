import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import save_file

from largestep.common.errors import UserError
from largestep.method.models import MLP, Gated, TwoLayer

SOFTPLUS = {"name": "softplus"}


def two_layer(**options):
    return TwoLayer(kind="two_layer", activation=SOFTPLUS, **options)


def mlp(**options):
    return MLP(kind="mlp", activation=SOFTPLUS, **options)


def test_two_layer_conventions():
    model = two_layer(width=4)
    (weights,) = model.initial_layers(3, seed=7)
    np.testing.assert_array_equal(weights, np.random.default_rng(7).standard_normal((4, 3)))
    np.testing.assert_array_equal(model.head, [0.25, 0.25, -0.25, -0.25])
    assert (model.m, model.order, model.stepsize_per_eta) == (4, 1, 4)


def test_mlp_conventions():
    model = mlp(widths=[5, 4])
    rng = np.random.default_rng(3)
    for layer, (out, into) in zip(
        model.initial_layers(9, seed=3), [(5, 9), (4, 5), (1, 4)], strict=True
    ):
        bound = 1 / np.sqrt(into)
        np.testing.assert_array_equal(layer, rng.uniform(-bound, bound, (out, into)))
    assert (model.order, model.head, model.stepsize_per_eta) == (3, None, None)


def test_gated_conventions():
    """Both of its networks begin as an MLP does: U_1, U_2, V_1, V_2, v."""
    model = Gated(widths=[5, 4])
    rng = np.random.default_rng(3)
    shapes = [(5, 9), (4, 5), (5, 1), (4, 5), (1, 4)]
    for layer, (out, into) in zip(model.initial_layers(9, seed=3), shapes, strict=True):
        bound = 1 / np.sqrt(into)
        np.testing.assert_array_equal(layer, rng.uniform(-bound, bound, (out, into)))
    assert (model.order, model.head, model.stepsize_per_eta) == (3, None, None)
    assert model.activation_label == "gates sigmoid(4 u)"


def test_scale_multiplies_the_initial_weights():
    plain, scaled = mlp(widths=[2]), mlp(widths=[2], scale=0.1)
    for a, b in zip(plain.initial_layers(2, 0), scaled.initial_layers(2, 0), strict=True):
        np.testing.assert_array_equal(0.1 * a, b)


def test_explicit_weights():
    model = two_layer(output_weights=[0.5, -0.5], initial_weights=[[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(model.initial_layers(3, 0)[0], [[1, 2, 3], [4, 5, 6]])
    assert (two_layer(width=2, initial_weights="zero").initial_layers(3, 0)[0] == 0).all()


def test_weights_from_files(tmp_path):
    weights = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "w.npy", weights)
    model = two_layer(width=2, initial_weights=str(tmp_path / "w.npy"))
    np.testing.assert_array_equal(model.initial_layers(3, 0)[0], weights)
    layers = {"a": weights, "b": np.ones((1, 2))}
    save_file(layers, tmp_path / "w.safetensors")
    deep = mlp(widths=[2], initial_weights=str(tmp_path / "w.safetensors"))
    for found, expected in zip(deep.initial_layers(3, 0), layers.values(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "model",
    [
        two_layer(width=2, initial_weights=[[1, 2], [3, 4]]),
        two_layer(width=2, initial_weights=[[1, 2, 3], [3, 4]]),
        two_layer(width=2, initial_weights="absent.npy"),
        mlp(widths=[2], initial_weights=[[[1, 2, 3], [1, 2, 3]]]),
        Gated(widths=[2], initial_weights=[[[1, 2, 3], [1, 2, 3]], [[1], [2]]]),
        Gated(widths=[2], initial_weights=[[[1, 2, 3], [1, 2, 3]], [[1, 2]], [[1, 2]]]),
    ],
)
def test_bad_weights_are_one_line(model):
    with pytest.raises(UserError, match=r"^model\.initial_weights: [^\n]+$"):
        model.initial_layers(3, 0)


@pytest.mark.parametrize(
    "options", [{}, {"width": 3}, {"width": 0}, {"width": 4, "output_weights": [1, -1]}]
)
def test_bad_widths(options):
    with pytest.raises(ValidationError):
        two_layer(**options)
