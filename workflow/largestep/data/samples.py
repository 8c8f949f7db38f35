"""Labelled samples in memory and in a file; later stages read the file and know no source."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from largestep.common import array_file


@dataclass(frozen=True, eq=False)
class Loaded:
    """A data set in the form that training uses.

    X: (n, d) and y: (n,) of +1 and -1; X_test and y_test likewise, or None; all float64.
    facts: what was used, for the JSON beside the data.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray | None
    y_test: np.ndarray | None
    facts: dict

    def to_bytes(self) -> bytes:
        """The samples as a safetensors file; equal samples give equal bytes."""
        given = {"X": self.X, "y": self.y, "X_test": self.X_test, "y_test": self.y_test}
        return array_file.to_bytes(
            {name: array for name, array in given.items() if array is not None}
        )


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """X, y, X_test, y_test from a file that the dataset stage made; the last two may be None.

    Raises Damaged where the file is not as it was written.
    """
    found = array_file.read(path)
    return tuple(found.get(name) for name in ("X", "y", "X_test", "y_test"))
