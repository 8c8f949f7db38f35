"""Labelled samples in memory and in a file; later stages read the file and know no source."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from largestep.base import UserError


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

        tensors = {"X": self.X, "y": self.y, "X_test": self.X_test, "y_test": self.y_test}
        return save({name: np.ascontiguousarray(t) for name, t in tensors.items() if t is not None})


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """X, y, X_test, y_test from a file that the dataset stage made; the last two may be None.

    Raises UserError where the file is missing, cut short, or does not hold labelled samples.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read as a data set ({error}); delete it") from error
    X, y, X_test, y_test = (tensors.get(name) for name in ("X", "y", "X_test", "y_test"))
    untested = X_test is None and y_test is None
    if not (_are_samples(X, y) and (untested or _are_samples(X_test, y_test))):
        raise UserError(f"{path}: does not hold labelled samples X and y; delete it")
    return X, y, X_test, y_test


def _are_samples(X: np.ndarray | None, y: np.ndarray | None) -> bool:
    return (
        X is not None
        and y is not None
        and X.dtype == y.dtype == np.float64
        and X.ndim == 2
        and y.shape == X.shape[:1]
        and bool(np.isfinite(X).all() and (abs(y) == 1).all())
    )
