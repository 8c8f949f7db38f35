"""What every network has in common: trained layers, and initial weights for them."""

from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from largestep.common.errors import UserError
from largestep.common.part import Part
from largestep.method.activations import AnyActivation

Vector = Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
Matrix = Annotated[tuple[Vector, ...], Field(strict=False, min_length=1)]
Width = Annotated[int, Field(gt=0, le=10**6)]
WeightFile = Annotated[str, Field(pattern=r"^[^\x00-\x1f]+\.(npy|safetensors)$", max_length=4096)]


def must_be(what: str) -> WrapValidator:
    """One message for a choice of types, instead of one for each."""

    def validate(value, handler):
        try:
            return handler(value)
        except ValidationError as error:
            raise PydanticCustomError("choice", "must be {what}", {"what": what}) from error

    return WrapValidator(validate)


class Model(Part):
    """Base of all models.

    activation: of the hidden units (`Activated`), or None where the network has none;
    activation_label: that, or what is in its place, in words. order: near-homogeneity order M
    (paper). head: fixed output weights c, (m,), or None where the last layer is trained.
    output_scale: the fixed factor of such a last layer. gate_slope: of sigmoid gates, or None
    where there are none. stepsize_per_eta: stepsize = stepsize_per_eta * eta; None where the model
    has no eta.
    """

    head: ClassVar[np.ndarray | None] = None
    output_scale: ClassVar[float] = 1.0
    gate_slope: ClassVar[float | None] = None
    stepsize_per_eta: ClassVar[int | None] = None

    scale: float = Field(1.0, gt=0, description="factor on the initial weights")

    @property
    def weight_file(self) -> str | None:
        """The file that the initial weights come from, if they come from one."""
        given = self.initial_weights
        named = isinstance(given, str) and given.endswith((".npy", ".safetensors"))
        return given if named else None

    @property
    def explicit(self) -> bool:
        """Whether the initial weights are given, by a file or as numbers, and not drawn."""
        return bool(self.weight_file) or not isinstance(self.initial_weights, str)

    def initial_layers(self, d: int, seed: int) -> list[np.ndarray]:
        """Initial trained layers for inputs of dimension `d`: float64 arrays, shape (out, in).

        Raises UserError where explicit weights do not have the shapes of the model.
        """
        shapes = self.layer_shapes(d)
        if self.weight_file:
            layers = _read_layers(Path(self.weight_file))
        elif isinstance(self.initial_weights, str):
            layers = self._draw(shapes, np.random.default_rng(seed))
        else:
            layers = self._explicit()
        if [layer.shape for layer in layers] != shapes:
            found = ", ".join("x".join(map(str, layer.shape)) for layer in layers)
            wanted = ", ".join("x".join(map(str, shape)) for shape in shapes)
            raise UserError(f"model.initial_weights: must be of shape {wanted} (got {found})")
        return [self.scale * layer for layer in layers]


class Activated(Model):
    """A network h -> phi(h W^T) layer by layer, times a fixed head or a fixed factor at the end."""

    activation: AnyActivation = Field(description="by its name")

    @property
    def activation_label(self) -> str:
        return self.activation.label


def matrix(rows: tuple[tuple[float, ...], ...]) -> np.ndarray:
    if len({len(row) for row in rows}) != 1:
        raise UserError("model.initial_weights: rows must have equal lengths")
    return np.array(rows, dtype=np.float64)


def _read_layers(path: Path) -> list[np.ndarray]:
    """Layers from a .npy file (one layer) or a .safetensors file (layers in order of name)."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        if path.suffix == ".npy":
            layers = [np.load(path, allow_pickle=False)]
        else:
            layers = [tensor for _, tensor in sorted(load_file(path).items())]
        return [np.asarray(layer, dtype=np.float64) for layer in layers]
    except (OSError, ValueError, TypeError, EOFError, SafetensorError) as error:
        raise UserError(f"model.initial_weights: cannot read {path} ({error})") from error
