"""From a pool of images of two classes to a subset of it: which, in what order, how prepared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, WrapValidator, model_validator
from pydantic_core import PydanticCustomError, ValidationError

from largestep.base import UserError
from largestep.datasets.dataset import Dataset, Seed, describe, file_name
from largestep.samples import Loaded

Step = Literal["center", "standardize", "unit_norm"]


@dataclass(frozen=True)
class Pool:
    """All images of two classes, the first class's before the second's.

    pixels(indices) gives those images as an array (len(indices), height, width, channels).
    """

    counts: tuple[int, int]
    pixels: Callable[[np.ndarray], np.ndarray]

    @property
    def size(self) -> int:
        return sum(self.counts)

    @staticmethod
    def of(images: np.ndarray, members: Sequence[np.ndarray]) -> "Pool":
        """The pool of an array of images, given a mask (len(images),) for each class."""
        first, second = (np.flatnonzero(mask) for mask in members)
        places = np.concatenate([first, second])
        return Pool((len(first), len(second)), lambda chosen: images[places[chosen]])


@dataclass(frozen=True)
class Source:
    """Pools of training and of test images, and what is known about where they come from.

    test is None where the source has no such split: the last fifth is then held out.
    white is the largest value of a pixel.
    """

    train: Pool
    test: Pool | None
    white: float
    origin: str
    checksums: dict[str, str] = field(default_factory=dict)


class Images(Dataset):
    """Base of the image data sets; a subclass declares `classes` and finds the images."""

    has_test: ClassVar[bool] = True
    title: ClassVar[str]

    classes: tuple
    n: int | None = Field(None, ge=1, description="training samples; all where it is not given")
    seed: Seed = 0
    preprocessing: Annotated[tuple[Step, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _sensible(self):
        steps = self.preprocessing
        if len(set(steps)) < len(steps):
            raise ValueError("preprocessing: no step may occur twice")
        if {"center", "standardize"} <= set(steps):
            raise ValueError("preprocessing: standardize centers already; leave center out")
        if "unit_norm" in steps[:-1]:
            raise ValueError("preprocessing: unit_norm must be the last step")
        return self

    @property
    def names(self) -> tuple[str, str]:
        """Names of the classes of sign +1 and -1."""
        first, second = self.classes
        return str(first), str(second)

    @property
    def key(self) -> str:
        size = "all" if self.n is None else f"n{self.n}"
        parts = [self.source, *self._key_of_classes, size, f"seed{self.seed}", *self.preprocessing]
        return file_name(parts, self.model_dump_json())

    @property
    def _key_of_classes(self) -> tuple[str, ...]:
        return self.names

    @property
    def label(self) -> str:
        size = "all" if self.n is None else f"n = {self.n}"
        return f"{self.title} {self.names[0]}/{self.names[1]}, {size}"

    def available(self, root: Path) -> int:
        """How many training samples there are; reads no image."""
        raise NotImplementedError

    def open(self, root: Path) -> Source:
        """The images, once they are under `root`."""
        raise NotImplementedError

    def check(self, root: Path) -> None:
        self._check_n(self.available(root))

    def load(self, root: Path) -> Loaded:
        self.fetch(root)
        source = self.open(root)
        order = np.random.default_rng(self.seed).permutation(source.train.size)
        if source.test is None:
            order, held_out = np.split(order, [held_out_from(len(order))])
            test = source.train, held_out
        else:
            test = source.test, np.arange(source.test.size)
        self._check_n(len(order))
        X, y, shape = _rows(source.train, order[: self.n], source.white)
        X_test, y_test, _ = _rows(*test, source.white)
        deviations = prepare(X, X_test, self.preprocessing, channels=shape[2])
        return describe(
            self,
            (X, y),
            (X_test, y_test),
            self.names,
            origin=source.origin,
            checksums=source.checksums,
            image_shape=shape,
            preprocessing=[f"divide by {source.white:g}", *self.preprocessing],
            **({"channel_deviations": deviations} if deviations else {}),
        )

    def _check_n(self, available: int) -> None:
        if self.n is not None and self.n > available:
            raise UserError(f"n: must be at most {available} (got {self.n})")


def pair_of(member: type, example: str) -> object:
    """The type of two different classes, in the order (+1, -1)."""

    def validate(value, handler):
        wrong = PydanticCustomError("classes", f"must be {example}")
        try:
            classes = handler(value)
        except ValidationError as error:
            raise wrong from error
        if isinstance(classes, tuple) and classes[0] == classes[1]:
            raise wrong
        return classes

    return Annotated[member, WrapValidator(validate)]


def held_out_from(size: int) -> int:
    """Where the test samples begin in the permutation: they are its last fifth."""
    return size - size // 5


def prepare(
    X: np.ndarray, X_test: np.ndarray, steps: Sequence[Step], channels: int
) -> list[float] | None:
    """Apply the steps to both arrays, in place; statistics are those of X (n, d).

    The deviation of a channel is taken over the rows and pixels of X after its mean, one number
    per feature, is subtracted (our choice). Returns the deviations where they were used.
    Raises UserError where a step would divide by zero.
    """
    deviations = None
    for step in steps:
        if step == "unit_norm":
            for rows in (X, X_test):
                rows /= _positive(np.linalg.norm(rows, axis=1, keepdims=True), step, "an image")
            continue
        mean = X.mean(axis=0)
        X -= mean
        X_test -= mean
        if step == "standardize":
            squares = (X.reshape(len(X), -1, channels) ** 2).mean(axis=(0, 1))
            deviations = _positive(np.sqrt(squares), step, "a channel").tolist()
            for rows in (X, X_test):
                rows.reshape(len(rows), -1, channels)[...] /= deviations
    return deviations


def _positive(divisors: np.ndarray, step: Step, what: str) -> np.ndarray:
    if not (divisors > 0).all():
        raise UserError(f"preprocessing: {step} is impossible, {what} is constant zero")
    return divisors


def _rows(
    pool: Pool, chosen: np.ndarray, white: float
) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int]]:
    """X (k, height * width * channels), y (k,) and the shape of an image."""
    images = pool.pixels(chosen)
    X = images.reshape(len(images), -1) / white
    return X, np.where(chosen < pool.counts[0], 1.0, -1.0), images.shape[1:]
