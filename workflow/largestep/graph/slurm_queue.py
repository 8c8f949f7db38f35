"""What Snakemake leaves out about SLURM's jobs: those of a killed run, and why jobs were killed."""

import getpass
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 5.0  # between two looks at the queue
LOGS = Path(".snakemake/slurm_logs")

_SAID = re.compile(r"^slurmstepd.*?: error: (.*)", re.MULTILINE)


def wait_for_earlier() -> None:
    """Wait until no job that an earlier run in this folder submitted is in SLURM's queue any more.

    Submitting them again while they still run would train the same grids twice. Once they have
    ended, what they finished is in the run store, and submitting them again costs seconds.
    (Snakemake notes the numbers of its jobs, but forgets them when a job starts.)
    """
    said = None
    while left := _queued():
        if left != said:
            numbers = " ".join(sorted(left))
            print(
                f"Waiting for SLURM jobs of an earlier run (scancel {numbers} gives them up)",
                file=sys.stderr,
            )
        said = left
        time.sleep(SECONDS)


def failures(since: float) -> list[str]:
    """What SLURM itself wrote into the logs of jobs since a time: limits, cancellations."""
    logs = sorted(log for log in LOGS.rglob("*.log") if log.stat().st_mtime >= since)
    return [
        f"{log}: {reason}"
        for log in logs
        for reason in dict.fromkeys(_SAID.findall(log.read_text(errors="replace")))
    ]


def _queued() -> set[str]:
    """Numbers of this user's train jobs in the queue that were submitted from this folder."""
    if not shutil.which("squeue"):
        return set()
    command = ["squeue", "--noheader", "--format=%A|%k|%Z", "--user", getpass.getuser()]
    output = subprocess.run(command, capture_output=True, text=True).stdout
    jobs = [line.split("|", 2) for line in output.splitlines()]
    here = str(Path.cwd())
    return {number for number, comment, folder in jobs if (folder, comment[:5]) == (here, "rule_")}
