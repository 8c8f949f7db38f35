"""Ten digits by number or by parity; scikit-learn's 8x8 ones, which need no files."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from largestep.datasets import torchvision_data
from largestep.datasets.images import Images, Pool, Source, held_out_from, pair_of

Digit = Annotated[int, Field(ge=0, le=9)]
DigitClasses = pair_of(
    Literal["odd_even"] | Annotated[tuple[Digit, Digit], Field(strict=False)],
    "odd_even, or two different digits such as [3, 8]",
)


class DigitImages(Images):
    """Base of data sets whose classes are digits, or odd (+1) against even (-1)."""

    classes: DigitClasses

    @property
    def names(self) -> tuple[str, str]:
        return ("odd", "even") if self.classes == "odd_even" else super().names

    @property
    def _key_of_classes(self) -> tuple[str, ...]:
        return (self.classes,) if self.classes == "odd_even" else self.names

    def count(self, per_digit: tuple[int, ...]) -> int:
        """Images of both classes, given how many there are of each digit."""
        return (
            sum(per_digit)
            if self.classes == "odd_even"
            else sum(per_digit[c] for c in self.classes)
        )

    def pool(self, images: np.ndarray, digits: np.ndarray) -> Pool:
        if self.classes == "odd_even":
            return Pool.of(images, [digits % 2 == 1, digits % 2 == 0])
        return Pool.of(images, [digits == c for c in self.classes])


class Digits(DigitImages):
    """scikit-learn's load_digits: 1,797 grey images; the last fifth of the order is for tests."""

    title: ClassVar[str] = "digits"
    per_digit: ClassVar[tuple[int, ...]] = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)

    source: Literal["digits"]

    def available(self, root: Path) -> int:
        return held_out_from(self.count(self.per_digit))

    def open(self, root: Path) -> Source:
        import sklearn
        from sklearn.datasets import load_digits

        data = load_digits()
        pool = self.pool(data.images[..., None], data.target)
        origin = f"load_digits of scikit-learn {sklearn.__version__}"
        return Source(pool, None, white=16, origin=origin)


class MNIST(DigitImages):
    """MNIST, 28x28 grey: torchvision's MNIST/raw under the data root, or its download."""

    title: ClassVar[str] = "MNIST"
    uses_root: ClassVar[bool] = True
    per_digit: ClassVar[tuple[int, ...]] = (
        *(5923, 6742, 5958, 6131, 5842),
        *(5421, 5918, 6265, 5851, 5949),
    )

    source: Literal["mnist"]

    def available(self, root: Path) -> int:
        return self.count(self.per_digit)

    def fetch(self, root: Path) -> None:
        torchvision_data.fetch_mnist(root)

    def open(self, root: Path) -> Source:
        pools, checksums = [], {}
        for split in ("train", "test"):
            images, digits, sums = torchvision_data.read_mnist(root, split)
            pools.append(self.pool(images[..., None], digits))
            checksums |= sums
        origin = f"{torchvision_data.MNIST_FOLDER}, the original files"
        return Source(*pools, white=255, origin=origin, checksums=checksums)
