"""Benchmarks pin their process to one core, so they are tested in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

CODE = """
from benchmarks.__main__ import CHECKED_STEPS, check
from benchmarks.reference import descend
from benchmarks.variants import VARIANTS
from benchmarks.workloads import w1, w2
for workload in (w1(runs=3), w2(60, "float32")):
    expected = descend(workload, CHECKED_STEPS)
    for name, prepare in VARIANTS.items():
        check(workload, prepare(workload), expected)
        print(workload.name, name)
"""


def test_every_variant_agrees_with_the_reference():
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", CODE], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"W1 engine", "W2 engine", "W1 usual"} <= set(done.stdout.splitlines())


def test_every_route_has_the_same_products_and_sharpness():
    root = Path(__file__).parents[2]
    code = "from benchmarks import curvature; print(len(curvature.measure(quick=True)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 2 * 3


MEMORY = """
import multiprocessing, numpy
from benchmarks.scaling import measure_one
if __name__ == "__main__":
    large = numpy.ones(10**8)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, added = pool.apply(measure_one, ("runs", 1000))
    print(added)
"""


def test_memory_is_measured_whatever_the_caller_has(tmp_path):
    """Linux counts the peak of the process that starts another one as the other's, too."""
    script = tmp_path / "memory.py"
    script.write_text(MEMORY)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, script],
        env=os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'workflow'}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000 * 8 * 200  # a thousand runs' rows alone
