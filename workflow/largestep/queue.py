"""Jobs that a killed run left in SLURM's queue: the next run waits for them.

Submitting them again while they still run would train the same grids twice. Once they have ended,
what they finished is in the run store, and submitting them again costs seconds.
"""

import getpass
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable

SECONDS = 5.0  # between two looks at the queue


def wait_for(jobs: Iterable[str]) -> None:
    """Wait until none of these SLURM jobs waits or runs any more.

    jobs: SLURM's numbers, as Snakemake noted them at submission. Says so while there are any.
    """
    jobs, said = set(jobs), None
    while left := jobs & _queued() if jobs else None:
        if left != said:
            numbers = " ".join(sorted(left))
            print(
                f"Waiting for SLURM jobs of an earlier run (scancel {numbers} gives them up)",
                file=sys.stderr,
            )
        said = left
        time.sleep(SECONDS)


def _queued() -> set[str]:
    """Numbers of this user's jobs in the queue; none where there is no SLURM."""
    if not shutil.which("squeue"):
        return set()
    command = ["squeue", "--noheader", "--format=%A", "--user", getpass.getuser()]
    return set(subprocess.run(command, capture_output=True, text=True).stdout.split())
