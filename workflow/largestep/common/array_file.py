"""Named arrays in one file that carries the hash of its contents: equal arrays, equal bytes."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from largestep.common.errors import Damaged, UserError


def to_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The arrays as a safetensors file."""
    from safetensors.numpy import save

    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(plain, metadata={"sha256": _digest(plain)})


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays in a file that `to_bytes` made.

    Raises Damaged where it is not as written, UserError where it is missing.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
            expected = (file.metadata() or {}).get("sha256")
    except FileNotFoundError as error:
        raise UserError(f"{path}: is missing") from error
    except (SafetensorError, ValueError) as error:
        raise Damaged(path) from error
    if _digest(arrays) != expected:
        raise Damaged(path)
    return arrays


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array)
    return digest.hexdigest()
