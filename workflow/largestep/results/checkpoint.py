"""What an unfinished job has computed so far, in a hidden file beside its output."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from largestep.common import array_file
from largestep.common.errors import UserError
from largestep.common.files import replacing
from largestep.results.store import key_of

SECONDS = 60.0  # between two checkpoints


class Checkpoint:
    """Arrays of a job that writes `out` and is determined by `determinants` (JSON values).

    A killed job finds them again; one that is determined otherwise does not, nor are damaged ones
    used.
    """

    def __init__(self, out: Path, interval: float = SECONDS, **determinants: Any):
        self._out, self._interval, self._saved = out, interval, time.monotonic()
        self._path = out.with_name(f".{out.stem}.{key_of(**determinants)}.checkpoint")

    def load(self) -> dict[str, np.ndarray]:
        """The arrays that were saved last; none where there is no checkpoint."""
        with suppress(UserError):  # missing or damaged
            return array_file.read(self._path)
        return {}

    def offer(self, arrays: Callable[[], Mapping[str, np.ndarray]]) -> None:
        """Save the arrays, if it is time."""
        if time.monotonic() - self._saved >= self._interval:
            with replacing(self._path) as partial:
                partial.write_bytes(array_file.to_bytes(arrays()))
            self._saved = time.monotonic()

    def clear(self) -> None:
        """Delete the checkpoints of this output, once it is written."""
        for path in self._out.parent.glob(f".{self._out.stem}.*.checkpoint"):
            path.unlink(missing_ok=True)
