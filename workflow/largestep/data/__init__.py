"""A named source -> (X, y, X_test, y_test).

A subset is the first n of default_rng(seed).permutation over the training images of the first
class followed by those of the second; the first class is +1.
"""

from typing import Annotated, get_args

from pydantic import Field

from largestep.data.cifar10 import CIFAR10
from largestep.data.digits import MNIST, Digits
from largestep.data.folder import ImageFolder
from largestep.data.points import XOR, FivePoints, Margin
from largestep.data.samples import Loaded, read

__all__ = ["ALL", "AnyDataset", "Loaded", "read"]

AnyDataset = Annotated[
    XOR | FivePoints | Margin | Digits | CIFAR10 | MNIST | ImageFolder,
    Field(discriminator="source"),
]

ALL = get_args(get_args(AnyDataset)[0])
