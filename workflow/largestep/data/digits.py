"""Images of digits, two of them or odd against even: scikit-learn's, which need no file; MNIST."""

from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from largestep.data import torchvision_data
from largestep.data.images import Images, Pool, Source, different, without_held_out

if TYPE_CHECKING:  # for the fingerprint, which counts the versions of what is imported
    import sklearn  # noqa: F401

Digit = Annotated[int, Field(ge=0, le=9)]


class _DigitImages(Images):
    per_digit: ClassVar[tuple[int, ...]]  # training images of 0, 1, ..., 9

    classes: Annotated[
        Literal["odd_even"] | Annotated[tuple[Digit, Digit], Field(strict=False)],
        different("odd_even, or two different digits such as [3, 8]"),
    ] = Field(description="the digits of sign +1 and -1, or odd_even")

    @property
    def names(self) -> tuple[str, str]:
        return ("odd", "even") if self.classes == "odd_even" else super().names

    def _pool_size(self) -> int:
        digits = range(10) if self.classes == "odd_even" else self.classes
        return sum(self.per_digit[digit] for digit in digits)

    def _pool(self, images: np.ndarray, digits: np.ndarray) -> Pool:
        if self.classes == "odd_even":
            return Pool.of(images, digits % 2 == 1, digits % 2 == 0)
        return Pool.of(images, *(digits == digit for digit in self.classes))


class Digits(_DigitImages):
    """scikit-learn's load_digits, 8x8 grey; the last fifth of the order is for tests."""

    title: ClassVar[str] = "digits"
    per_digit: ClassVar = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)

    source: Literal["digits"] = "digits"

    def available(self, root: Path) -> int:
        return without_held_out(self._pool_size())

    def shape(self, root: Path) -> tuple[int, int, int]:
        available = self.available(root)
        return self.n or available, 8 * 8, self._pool_size() - available

    def open(self, root: Path) -> Source:
        # load_digits reads this file in the same way; importing it takes longer than all the rest.
        library = distribution("scikit-learn")
        file = library.locate_file("sklearn/datasets/data/digits.csv.gz")
        table = np.loadtxt(file, delimiter=",")
        pool = self._pool(table[:, :-1].reshape(-1, 8, 8, 1), table[:, -1].astype(int))
        origin = f"load_digits of scikit-learn {library.version}"
        return Source(pool, None, white=16, origin=origin)


class MNIST(_DigitImages):
    """MNIST, 28x28 grey: MNIST/raw/* under the data root, packed or not, or a download."""

    title: ClassVar[str] = "MNIST"
    per_digit: ClassVar = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
    uses_root: ClassVar[bool] = True

    source: Literal["mnist"] = "mnist"

    def available(self, root: Path) -> int:
        return self._pool_size()

    def shape(self, root: Path) -> tuple[int, int, int]:
        return self.n or self.available(root), 28 * 28, 10_000

    def fetch(self, root: Path) -> None:
        torchvision_data.fetch_mnist(root)

    def open(self, root: Path) -> Source:
        pools, checksums = [], {}
        for split in ("train", "test"):
            images, digits, sums = torchvision_data.read_mnist(root, split)
            pools.append(self._pool(images[..., None], digits))
            checksums |= sums
        origin = f"{torchvision_data.MNIST_FOLDER}, the original files"
        return Source(*pools, white=255, origin=origin, checksums=checksums)
