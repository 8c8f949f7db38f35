"""Networks: their trained layers, their fixed head, their initial weights.

Both models are the same forward pass, h -> phi(h W^T) layer by layer. The two-layer net
(paper, section 2) trains its only hidden layer and contracts with a fixed head a_j / m; the
bias-free MLP trains its last layer too, which is linear and has no head.
"""

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, ValidationError, WrapValidator, model_validator
from pydantic_core import PydanticCustomError

from largestep.common.errors import UserError
from largestep.common.part import Part
from largestep.method.activations import AnyActivation

Vector = Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
Matrix = Annotated[tuple[Vector, ...], Field(strict=False, min_length=1)]
Width = Annotated[int, Field(gt=0, le=10**6)]
WeightFile = Annotated[str, Field(pattern=r"^[^\x00-\x1f]+\.(npy|safetensors)$", max_length=4096)]


def _must_be(what: str) -> WrapValidator:
    """One message for a choice of types, instead of one for each."""

    def validate(value, handler):
        try:
            return handler(value)
        except ValidationError as error:
            raise PydanticCustomError("choice", "must be {what}", {"what": what}) from error

    return WrapValidator(validate)


class _Model(Part):
    activation: AnyActivation = Field(description="by its name")
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


class TwoLayer(_Model):
    """f(w; x) = sum_j c_j phi(x . w_j) with fixed c_j = a_j / m: +1/m first, then -1/m."""

    kind: Literal["two_layer"]
    width: Width | None = Field(None, description="number m of neurons")
    output_weights: Vector | None = Field(
        None, description="c_j; +1/m (first half) and -1/m (second half) where not given"
    )
    initial_weights: Annotated[
        Literal["standard_normal", "zero"] | WeightFile | Matrix,
        _must_be(
            "standard_normal, zero, a .npy or .safetensors file, or a list of numbers per neuron"
        ),
    ] = Field("standard_normal", description="a distribution, a file, or the numbers")

    @model_validator(mode="after")
    def _balanced(self):
        if self.output_weights is None:
            if self.width is None:
                raise ValueError("width: is missing; give width or output_weights")
            if self.width % 2:
                raise ValueError(
                    f"width: must be even, half the output weights are +1/m and half -1/m "
                    f"(got {self.width})"
                )
        elif self.width not in (None, len(self.output_weights)):
            raise ValueError(
                f"output_weights: must be {self.width} numbers, one per neuron "
                f"(got {len(self.output_weights)})"
            )
        return self

    @property
    def m(self) -> int:
        return self.width or len(self.output_weights)

    @property
    def order(self) -> int:
        """Near-homogeneity order M (paper)."""
        return 1

    @property
    def head(self) -> np.ndarray:
        """Output weights c, shape (m,)."""
        if self.output_weights is not None:
            return np.array(self.output_weights)
        return np.repeat([1 / self.m, -1 / self.m], self.m // 2)

    @property
    def stepsize_per_eta(self) -> int:
        """The step taken is eta_tilde = m eta (paper)."""
        return self.m

    @property
    def label(self) -> str:
        return f"two-layer, m = {self.m}"

    def layer_shapes(self, d: int) -> list[tuple[int, int]]:
        return [(self.m, d)]

    def _draw(self, shapes, rng) -> list[np.ndarray]:
        if self.initial_weights == "zero":
            return [np.zeros(shape) for shape in shapes]
        return [rng.standard_normal(shape) for shape in shapes]

    def _explicit(self) -> list[np.ndarray]:
        return [_matrix(self.initial_weights)]


class MLP(_Model):
    """Bias-free multilayer perceptron d - widths - 1, all layers trained."""

    kind: Literal["mlp"]
    widths: Annotated[tuple[Width, ...], Field(strict=False, min_length=1, max_length=64)] = Field(
        description="of the hidden layers"
    )
    initial_weights: Annotated[
        Literal["uniform_fan_in"] | WeightFile | Annotated[tuple[Matrix, ...], Field(strict=False)],
        _must_be("uniform_fan_in, a .safetensors file, or a matrix (list of lists) per layer"),
    ] = Field("uniform_fan_in", description="U(+-1/sqrt(fan_in)), a file, or the numbers")

    @property
    def order(self) -> int:
        """Near-homogeneity order M: the number of layers (paper)."""
        return len(self.widths) + 1

    head: ClassVar[None] = None
    stepsize_per_eta: ClassVar[None] = None

    @property
    def label(self) -> str:
        return f"{self.order}-layer MLP, widths {'-'.join(map(str, self.widths))}"

    def layer_shapes(self, d: int) -> list[tuple[int, int]]:
        sizes = (d, *self.widths, 1)
        return [(out, into) for into, out in pairwise(sizes)]

    def _draw(self, shapes, rng) -> list[np.ndarray]:
        return [rng.uniform(-1 / math.sqrt(s[1]), 1 / math.sqrt(s[1]), s) for s in shapes]

    def _explicit(self) -> list[np.ndarray]:
        return [_matrix(layer) for layer in self.initial_weights]


AnyModel = Annotated[TwoLayer | MLP, Field(discriminator="kind")]


def _matrix(rows: tuple[tuple[float, ...], ...]) -> np.ndarray:
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
