"""Time of a run-step against the number of runs, samples and neurons, and memory."""

import multiprocessing
import resource
import sys
import time
from pathlib import Path

from benchmarks.variants import engine
from benchmarks.workloads import w1

AXES = {
    "runs": lambda value: w1(runs=value),
    "n": lambda value: w1(runs=8, n=value),
    "m": lambda value: w1(runs=8, m=value),
}
VALUES = {
    "runs": [1, 10, 100, 1000, 10000],
    "n": [4, 16, 64, 256, 1024, 4096],
    "m": [2, 8, 32, 128, 512],
}
#: As many everywhere, since recorded rows, which are log-spaced, are part of the cost.
STEPS = 2000


def measure(quick: bool) -> list[dict]:
    """One entry per axis and value; each in a process of its own, for its peak memory."""
    context = multiprocessing.get_context("spawn")
    entries = []
    for axis, values in VALUES.items():
        for value in values[:-1] if quick else values:
            with context.Pool(1) as pool:
                cost, memory = pool.apply(measure_one, (axis, value))
            entries.append(
                {
                    "axis": axis,
                    "value": value,
                    "seconds_per_step_and_run": cost,
                    "peak_bytes": memory,
                }
            )
            print(f"{axis} = {value}: {cost * 1e6:.3g} us per run-step", flush=True)
    return entries


def measure_one(axis: str, value: int) -> tuple[float, int]:
    """Seconds per step and run, and the bytes that the training added to the process's peak."""
    import torch

    torch.set_num_threads(1)
    engine(w1())(2)  # what is loaded once
    before = _peak()
    workload = AXES[axis](value)
    train = engine(workload)
    times = []
    for _ in range(3):
        begun = time.process_time()
        train(STEPS)
        times.append((time.process_time() - begun) / STEPS / workload.runs)
    return min(times), _peak() - before


def _peak() -> int:
    """Bytes that this process has had at most."""
    if sys.platform == "linux":  # where getrusage counts the process too that started this one
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
