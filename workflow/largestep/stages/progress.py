"""Progress of a long loop: for people at a terminal; silent everywhere else."""

import sys
import time

from largestep.common.durations import duration

INTERVAL = 2.0  # seconds between lines


class Progress:
    """Call it with the step; prints step, steps per second and remaining time to a terminal."""

    def __init__(self, title: str, steps: int, first: int = 0, stream=sys.stderr):
        self.title, self.steps, self.first, self.stream = title, steps, first, stream
        self.started = self.printed = time.monotonic()
        self.active = stream.isatty()

    def __call__(self, step: int) -> None:
        now = time.monotonic()
        if not self.active or now - self.printed < INTERVAL:
            return
        self.printed = now
        rate = (step - self.first) / (now - self.started)
        left = duration((self.steps - step) / rate) if rate else "?"
        print(
            f"{self.title}: step {step:,} of {self.steps:,}, {rate:,.0f} steps/s, {left} left",
            file=self.stream,
            flush=True,
        )
