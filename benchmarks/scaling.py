"""Time of a run-step against the number of runs, samples and neurons, and memory."""

import multiprocessing
import resource
import time

from benchmarks.variants import engine
from benchmarks.workloads import Workload, w1

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


def measure(quick: bool) -> list[dict]:
    """One entry per axis and value; each in a process of its own, for its peak memory."""
    context = multiprocessing.get_context("spawn")
    entries = []
    for axis, values in VALUES.items():
        for value in values[:-1] if quick else values:
            with context.Pool(1) as pool:
                cost, memory = pool.apply(_measure, (axis, value))
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


def _measure(axis: str, value: int) -> tuple[float, int]:
    """Seconds per step and run, and the bytes that the training added to the process's peak."""
    import torch

    torch.set_num_threads(1)
    engine(w1())(2)  # what is loaded once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    workload = AXES[axis](value)
    train, steps = engine(workload), _steps(workload)
    times = []
    for _ in range(3):
        begun = time.process_time()
        train(steps)
        times.append((time.process_time() - begun) / steps / workload.runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return min(times), 1024 * (peak - before)


def _steps(workload: Workload) -> int:
    """About half a second's worth."""
    size = workload.runs * len(workload.y) * len(workload.head)
    return min(10_000, max(100, 2 * 10**8 // size))
