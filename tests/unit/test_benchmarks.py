"""Benchmarks pin their process to one core, so they are tested in a process of their own."""

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
