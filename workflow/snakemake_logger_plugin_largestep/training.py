"""How much of the training is done, and how long the rest takes at the rate so far."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path


class Training:
    """The train jobs of a run.

    work: seconds that each is expected to take, by its number; only their ratios count, since the
    rate is what this run has shown so far. A running job's own share is in its progress file.
    """

    def __init__(self, work: Mapping[int, float], clock: Callable[[], float] = time.time):
        self._work, self._clock = dict(work), clock
        self._done: set[int] = set()
        self._running: dict[int, tuple[float, Path | None]] = {}  # when begun, progress file
        self._shares: dict[int, float] = {}  # the file is gone a moment before the job is
        self._busy, self._since = 0.0, 0.0

    def start(self, job: int, progress: Path | None = None) -> None:
        if job in self._work:
            if not self._running:
                self._since = self._clock()
            self._running[job], self._shares[job] = (self._clock(), progress), 0.0

    def end(self, job: int, done: bool = True) -> None:
        """It finished, or failed."""
        if self._running.pop(job, None) and not self._running:
            self._busy += self._clock() - self._since
        if done and job in self._work:
            self._done.add(job)

    @property
    def active(self) -> bool:
        return bool(self._running)

    @property
    def share(self) -> float:
        """Of all the work, what is done."""
        for job, begun in list(self._running.items()):
            self._shares[job] = max(self._shares[job], read(*begun))
        running = sum(self._work[job] * self._shares[job] for job in list(self._running))
        return (sum(self._work[job] for job in self._done) + running) / sum(self._work.values())

    @property
    def left(self) -> float | None:
        """Seconds, or None where too little is done to tell."""
        busy = self._busy + (self._clock() - self._since if self._running else 0.0)
        share = self.share
        return busy * (1 - share) / share if share > 0.05 and busy > 5 else None


def read(begun: float, progress: Path | None) -> float:
    """Share of a job that is done, from the file in which it says "step steps"."""
    try:
        if progress is None or progress.stat().st_mtime < begun - 1:  # of an earlier attempt
            return 0.0
        step, steps = map(float, progress.read_text().split())
        return min(step / steps, 1.0)
    except (OSError, ValueError, ZeroDivisionError):
        return 0.0
