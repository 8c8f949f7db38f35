"""How far a long job is, in a small file beside its log, for whoever draws a progress bar."""

import atexit
import contextlib
import time
from pathlib import Path

INTERVAL = 0.5  # seconds between two looks of the file


class Progress:
    """Call it with the step; the file holds "step steps" while the job runs, and then goes.

    log: of the job; None: nobody looks, and nothing is written.
    """

    def __init__(self, log: Path | None, steps: int):
        self.path = log and log.with_suffix(".progress")
        self.steps, self.written = steps, 0.0
        if self.path:
            atexit.register(self._forget)

    def __call__(self, step: int) -> None:
        now = time.monotonic()
        if self.path and now - self.written >= INTERVAL:
            self.written = now
            with contextlib.suppress(OSError):  # a full disk is the results' affair
                self.path.write_text(f"{step} {self.steps}\n")

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
