"""Labelled samples in memory and in a file; later stages read the file and know no source."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from largestep.base import Damaged


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
        from safetensors.numpy import save

        given = {"X": self.X, "y": self.y, "X_test": self.X_test, "y_test": self.y_test}
        tensors = {name: np.ascontiguousarray(t) for name, t in given.items() if t is not None}
        return save(tensors, metadata={"sha256": _digest(tensors)})


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """X, y, X_test, y_test from a file that the dataset stage made; the last two may be None.

    Raises Damaged where the file is not as it was written.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
            expected = (file.metadata() or {}).get("sha256")
    except (SafetensorError, ValueError) as error:
        raise Damaged(path) from error
    if _digest(tensors) != expected:
        raise Damaged(path)
    return tuple(tensors.get(name) for name in ("X", "y", "X_test", "y_test"))


def _digest(tensors: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor)
    return digest.hexdigest()
