"""From a pool of images of two classes to a data set: which of them, in what order, prepared how.

The conventions are our choice, and such that anyone can draw the same data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, WrapValidator, model_validator
from pydantic_core import PydanticCustomError, ValidationError

from largestep.common.errors import UserError
from largestep.data.dataset import Dataset, Seed, describe, file_name
from largestep.data.samples import Loaded

Step = Literal["center", "standardize", "unit_norm"]


@dataclass(frozen=True)
class Pool:
    """All images of two classes, the first class's before the second's.

    pixels(places) gives those images as an array (len(places), height, width, channels).
    """

    counts: tuple[int, int]
    pixels: Callable[[np.ndarray], np.ndarray]

    @property
    def size(self) -> int:
        return sum(self.counts)

    @classmethod
    def of(cls, images: np.ndarray, first: np.ndarray, second: np.ndarray) -> "Pool":
        """The pool of an array of images, given a mask (len(images),) for each class."""
        members = np.concatenate([np.flatnonzero(first), np.flatnonzero(second)])
        counts = (int(first.sum()), int(second.sum()))
        return cls(counts, lambda places: images[members[places]])


@dataclass(frozen=True)
class Source:
    """Pools of training and test images, and what is known about where they come from.

    test is None where the source has no such split: the last fifth of the order is then for
    tests. `white` is the largest value of a pixel.
    """

    train: Pool
    test: Pool | None
    white: float
    origin: str
    checksums: dict[str, str] = field(default_factory=dict)


class Images(Dataset):
    """Base of the image data sets: a subclass says what `classes` may be and where images are.

    Training samples are the first n of default_rng(seed).permutation(size of the pool).
    """

    has_test: ClassVar[bool] = True
    title: ClassVar[str]

    classes: tuple
    n: int | None = Field(None, ge=1, description="training samples; all if not given")
    seed: Seed = Field(0, description="of the permutation whose first n are taken")
    preprocessing: Annotated[tuple[Step, ...], Field(strict=False)] = Field(
        (), description="steps in order; their statistics are those of the n training samples"
    )

    @model_validator(mode="after")
    def _sensible(self):
        steps = self.preprocessing
        if len(set(steps)) < len(steps):
            raise ValueError("preprocessing: no step may occur twice")
        if {"center", "standardize"} <= set(steps):
            raise ValueError("preprocessing: standardize already centers; leave out center")
        if "unit_norm" in steps[:-1]:
            raise ValueError("preprocessing: unit_norm must come last")
        return self

    @property
    def names(self) -> tuple[str, str]:
        """Names of the classes of sign +1 and -1."""
        first, second = self.classes
        return str(first), str(second)

    @property
    def key(self) -> str:
        return file_name(self._key_parts(), self.model_dump_json())

    def _key_parts(self) -> list[str]:
        classes = [self.classes] if isinstance(self.classes, str) else self.names
        size = "all" if self.n is None else f"n{self.n}"
        return [self.source, *classes, size, f"seed{self.seed}", *self.preprocessing]

    @property
    def label(self) -> str:
        size = "all" if self.n is None else f"n = {self.n}"
        return f"{self.title} {'/'.join(self.names)}, {size}"

    def available(self, root: Path) -> int:
        """How many training samples there are, known without opening an image.

        Raises UserError where a folder that must be there is not.
        """
        raise NotImplementedError

    def open(self, root: Path) -> Source:
        """The images under `root`; raises UserError where they are damaged."""
        raise NotImplementedError

    def check(self, root: Path) -> None:
        try:
            if self.uses_root and root.exists() and not root.is_dir():
                raise UserError(f"source: the data root {root} must be a folder")
            available = self.available(root)
        except OSError as error:
            raise UserError(f"source: cannot look for it in {root} ({error.strerror})") from error
        self._check_n(available)

    def load(self, root: Path) -> Loaded:
        self.fetch(root)
        source = self.open(root)
        order = np.random.default_rng(self.seed).permutation(source.train.size)
        if source.test is None:
            order, held_out = np.split(order, [without_held_out(len(order))])
            test = source.train, held_out
        else:
            test = source.test, np.arange(source.test.size)
        self._check_n(len(order))
        X, y, shape = _samples(source.train, order[: self.n], source.white)
        X_test, y_test, test_shape = _samples(*test, source.white)
        if test_shape != shape:
            sizes = [f"{width}x{height}" for height, width, _ in (test_shape, shape)]
            raise UserError("source: the images are {} in test, {} in train".format(*sizes))
        statistics = prepare(X, X_test, self.preprocessing, channels=shape[-1])
        return describe(
            self,
            (X, y),
            (X_test, y_test),
            self.names,
            origin=source.origin,
            checksums=source.checksums,
            image_shape=list(shape),
            preprocessing=[f"divide by {source.white:g}", *self.preprocessing],
            **statistics,
        )

    def _check_n(self, available: int) -> None:
        if self.n is not None and self.n > available:
            raise UserError(f"n: must be at most {available} (got {self.n})")


def different(wanted: str) -> WrapValidator:
    """Two different classes, or one line that says what is `wanted`, whatever is wrong."""

    def validate(value, handler):
        mistake = PydanticCustomError("classes", f"must be {wanted}")
        try:
            classes = handler(value)
        except ValidationError as error:
            raise mistake from error
        if isinstance(classes, tuple) and classes[0] == classes[1]:
            raise mistake
        return classes

    return WrapValidator(validate)


def without_held_out(size: int) -> int:
    """How many of `size` samples are for training: the last fifth is held out for tests."""
    return size - size // 5


def prepare(
    X: np.ndarray, X_test: np.ndarray, steps: Sequence[Step], channels: int
) -> dict[str, list[float]]:
    """Apply `steps` to X (n, d) and X_test, in place; all statistics are those of X.

    `center` subtracts the mean of each feature. `standardize` does too, and divides by one
    number per channel, the root mean square of what is left over rows and pixels; returned as
    "channel_deviations". `unit_norm` scales each row to norm 1.
    Raises UserError where a step would divide by zero.
    """
    statistics = {}
    for step in steps:
        if step == "unit_norm":
            for rows in (X, X_test):
                norms = np.linalg.norm(rows, axis=1, keepdims=True)
                rows /= _nonzero(norms, "unit_norm: a row is zero")
            continue
        mean = X.mean(axis=0)
        X -= mean
        X_test -= mean
        if step == "standardize":
            deviations = np.sqrt((X.reshape(-1, channels) ** 2).mean(axis=0))
            _nonzero(deviations, "standardize: a channel is constant")
            for rows in (X, X_test):
                rows /= np.tile(deviations, X.shape[1] // channels)
            statistics["channel_deviations"] = deviations.tolist()
    return statistics


def _nonzero(divisors: np.ndarray, otherwise: str) -> np.ndarray:
    # Values lie in [0, 1] at first; subtracting a mean leaves rounding errors instead of zeros.
    if (divisors < 1e-12).any():
        raise UserError(f"preprocessing: {otherwise} in these images")
    return divisors


def _samples(
    pool: Pool, chosen: np.ndarray, white: float
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """X (len(chosen), d), flattened height, width, channel; y; and the shape of an image."""
    images = pool.pixels(chosen)
    X = images.reshape(len(images), -1).astype(np.float64)
    X /= white
    return X, np.where(chosen < pool.counts[0], 1.0, -1.0), images.shape[1:]
