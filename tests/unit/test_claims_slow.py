"""What takes minutes: every comparison of a claim turned round; the table of chances anew."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_comparison_turned_round_is_noticed():
    command = [sys.executable, ROOT / "tests/mutations.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_chances_in_the_documentation_are_what_simulation_gives():
    import power

    page = power.PAGE.read_text()
    assert power.with_table(page, power.table()) == page
    assert f"{power.TIMES:,} simulations" in page
