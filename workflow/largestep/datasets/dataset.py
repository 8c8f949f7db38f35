"""What every data set has in common: a name, a check, and samples with the facts about them."""

import hashlib
import re
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from largestep.base import Spec
from largestep.samples import Loaded, to_bytes

Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Dataset(Spec):
    """Base of all data sets. `root` is the data root, where some of them have their files."""

    source: str

    has_test: ClassVar[bool] = False
    uses_root: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """A readable file name that differs wherever the specification differs."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """The data set in words."""
        raise NotImplementedError

    def check(self, root: Path) -> None:
        """Raise UserError ("key: text") for what is wrong and can be known without reading."""

    def fetch(self, root: Path) -> None:
        """Download what is missing under `root`; most sources download nothing."""

    def load(self, root: Path) -> Loaded:
        """The samples; raises UserError where the source is missing or damaged."""
        raise NotImplementedError


def file_name(parts: list[str], specification: str) -> str:
    """`parts` joined by hyphens, plus a digest of `specification` where they are not enough.

    They are enough if the name is short and no part has a hyphen or a character that file
    systems dislike.
    """
    name = "-".join(parts)
    if len(name) <= 120 and all(re.fullmatch(r"[A-Za-z0-9_.]+", part) for part in parts):
        return name
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:100]
    return f"{readable}-{hashlib.sha256(specification.encode()).hexdigest()[:12]}"


def describe(
    spec: Dataset,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray] | None,
    classes: tuple[str, str],
    **facts,
) -> Loaded:
    """Samples (X, y) of both splits with their facts; `classes` are the names of +1 and -1."""
    X, y = train
    X_test, y_test = test or (None, None)
    splits = {"train": y} if test is None else {"train": y, "test": y_test}
    return Loaded(
        X,
        y,
        X_test,
        y_test,
        {
            "specification": spec.model_dump(mode="json"),
            **facts,
            "classes": {"+1": classes[0], "-1": classes[1]},
            "counts": {
                split: {
                    name: int((labels == sign).sum())
                    for name, sign in zip(classes, (1, -1), strict=True)
                }
                for split, labels in splits.items()
            },
            "dimension": X.shape[1],
            "sha256": hashlib.sha256(to_bytes(X, y, X_test, y_test)).hexdigest(),
        },
    )
