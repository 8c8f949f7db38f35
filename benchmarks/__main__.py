"""python -m benchmarks [--quick]: time every variant on every workload, check them, write down."""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks import curvature, report, scaling
from benchmarks.reference import descend, product_seconds
from benchmarks.variants import VARIANTS
from benchmarks.workloads import Workload, w1, w2, w3, w4, w5
from largestep.engine.device import keep_freed_memory
from largestep.results.provenance import processor

FOLDER = Path("results/benchmarks")
CHECKED_STEPS = 20


def workloads(quick: bool) -> list[Workload]:
    small = [w1(), w2(1000, "float64"), w2(1000, "float32")]
    large = [w2(6000, "float64"), w2(6000, "float32"), w3(), w4(), w5()]
    return small if quick else [*small, *large]


def main(quick: bool) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    FOLDER.mkdir(parents=True, exist_ok=True)
    entries = [entry for each in workloads(quick) for entry in compare(each, quick)]
    machine = {
        "processor": processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    document = {
        "machine": machine,
        "engine": entries,
        "curvature": curvature.measure(quick),
        "scaling": scaling.measure(quick),
    }
    (FOLDER / "engine.json").write_text(json.dumps(document, indent=1) + "\n")
    report.write(document, FOLDER)
    print((FOLDER / "engine.md").read_text())


def compare(workload: Workload, quick: bool) -> list[dict]:
    """One entry per variant; the variants take turns, so that a slow moment hits all of them.

    Times are the process's own processor time: with one thread that is the time on a machine of
    one's own, also where others wait for the same core.
    """
    rounds, seconds = (3, 0.5) if quick else (5, 2.0)
    trainers, steps, times = {}, {}, {}
    expected = descend(workload, CHECKED_STEPS)
    for name, prepare in VARIANTS.items():
        trainers[name] = prepare(workload)
        error = check(workload, trainers[name], expected)
        steps[name] = workload.steps // 4 if quick else workload.steps
        if name != "engine":
            steps[name] = choose_steps(trainers[name], seconds)
        trainers[name](steps[name])
        times[name] = []
        print(f"{workload.label}: {name}: error {error:.1e}, {steps[name]} steps", flush=True)
    limits = []
    for _ in range(rounds):
        for name, train in trainers.items():
            begun = time.process_time()
            train(steps[name])
            times[name].append((time.process_time() - begun) / steps[name])
        limits.append(product_seconds(workload))

    medians = {name: statistics.median(values) for name, values in times.items()}
    limit = statistics.median(limits)
    return [
        {
            "workload": workload.name,
            "dtype": workload.dtype,
            "n": len(workload.y),
            "runs": workload.runs,
            "variant": name,
            "steps": steps[name],
            "seconds_per_step_and_run": median / workload.runs,
            "spread": [min(times[name]) / workload.runs, max(times[name]) / workload.runs],
            "times_faster_than_usual": medians["usual"] / median,
            "times_faster_than_jax": medians["jax"] / median if "jax" in medians else None,
            "fraction_of_product_rate": limit / median
            if workload.name in ("W2", "W3", "W4")
            else None,
        }
        for name, median in medians.items()
    ]


def check(workload: Workload, train, expected: np.ndarray) -> float:
    """Largest relative deviation from the float64 reference in the first steps.

    Raises RuntimeError where it is more than the dtype explains.
    """
    steps, series = train(CHECKED_STEPS)
    reference = expected[steps]
    scale = np.abs(reference).max(axis=(0, 2), keepdims=True)
    error = (np.abs(series[:, :4] - reference) / scale).max()
    if not error < (1e-8 if workload.dtype == "float64" else 5e-2):
        raise RuntimeError(f"{workload.label}: a variant is wrong (relative error {error:.1e})")
    return float(error)


def choose_steps(train, seconds: float) -> int:
    """About as many steps as fit into `seconds`, a power of two; a peer's steps cost all alike."""
    steps = 2
    while True:
        train(steps)  # JAX compiles for every number of steps
        begun = time.process_time()
        train(steps)
        elapsed = time.process_time() - begun
        if elapsed > seconds / 4 or steps >= 2**14:
            return max(2, round(2 ** round(np.log2(steps * seconds / elapsed))))
        steps *= 8


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer workloads, steps and rounds")
    main(parser.parse_args().quick)
