"""What every data set has in common: a name, a check, and samples with the facts about them."""

import hashlib
import re
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from largestep.common.part import Part
from largestep.data.samples import Loaded

Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Dataset(Part):
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

    def shape(self, root: Path) -> tuple[int, int, int]:
        """Training samples n, dimension d and test samples, known without reading the data.

        Where images are not there yet, the largest that they can be.
        """
        raise NotImplementedError

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
    """Samples (X, y) of both splits with their facts; `classes` are the names of +1 and -1.

    The fact "sha256" is that of the file that holds the samples.
    """
    splits = {"train": train} | ({"test": test} if test else {})
    facts = {
        "specification": spec.model_dump(mode="json"),
        **facts,
        "classes": {"+1": classes[0], "-1": classes[1]},
        "counts": {
            split: {classes[0]: int((y > 0).sum()), classes[1]: int((y < 0).sum())}
            for split, (_, y) in splits.items()
        },
        "dimension": train[0].shape[1],
    }
    loaded = Loaded(*train, *(test or (None, None)), facts)
    facts["sha256"] = hashlib.sha256(loaded.to_bytes()).hexdigest()
    return loaded
