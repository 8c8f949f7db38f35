"""What Snakemake leaves out about SLURM's jobs: those of a killed run, and why jobs were refused
or killed."""

import getpass
import logging
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from largestep.common.errors import UserError
from largestep.configuration.mistakes import clip

SECONDS = 5.0  # between two looks at the queue
LOGS = Path(".snakemake/slurm_logs")

#: Where SLURM's refusal is about what only the profile says.
_PROFILE = re.compile(r"account|partition", re.IGNORECASE)

_SAID = re.compile(r"^slurmstepd.*?: error: (.*)", re.MULTILINE)


def check(jobs: Iterable) -> None:
    """Ask SLURM, before anything is submitted, whether it would take such jobs of Snakemake's.

    Raises UserError, one line, for a partition or an account that it refuses; tells of what else
    it refuses (more memory than any node has, say), which may be a matter of the moment.
    Without this, a group of jobs that is refused fails without a word.
    """
    if not shutil.which("sbatch"):
        raise UserError("sbatch: is missing; jobs are submitted where SLURM's commands are")
    largest = defaultdict(lambda: (0, 0))
    for job in jobs:
        asked = job.resources.get
        kind = (
            str(asked("slurm_partition") or ""),
            # Snakemake's plugin takes the first of several.
            re.split(r"[,\s]", str(asked("slurm_account") or ""))[0],
            asked("gpu") or 0,
            str(asked("gpu_model") or ""),
            job.threads,
        )
        needs = asked("mem_mb") or 0, asked("runtime") or 0
        largest[kind] = tuple(map(max, largest[kind], needs))
    for kind, needs in largest.items():
        _try(*kind, *needs)


def _try(
    partition: str, account: str, gpus: int, model: str, threads: int, megabytes: int, minutes: int
) -> None:
    given = {
        "--partition": partition,
        "--account": account,
        "--gpus": f"{model}:{gpus}".lstrip(":") if gpus else "",
        "--cpus-per-task": threads,
        "--mem": f"{megabytes}M",
        "--time": minutes,
    }
    options = [f"{name}={value}" for name, value in given.items() if value]
    command = ["sbatch", "--test-only", *options, "--wrap=true"]
    tried = subprocess.run(command, capture_output=True, text=True)
    if tried.returncode:
        said = re.sub(r"sbatch: |error: |allocation failure: ", "", tried.stderr)
        said = clip("; ".join(dict.fromkeys(said.splitlines())), 200)
        if _PROFILE.search(said):
            where = f"slurm_partition={partition or None}, slurm_account={account or None}"
            raise UserError(f"SLURM refuses jobs with {where}: {said}")
        print(f"SLURM would refuse a job now ({' '.join(options)}): {said}", file=sys.stderr)
    if account:
        _confirm(account)


def _confirm(account: str) -> None:
    """Raise UserError where Snakemake's plugin would fail over an account."""
    from snakemake_executor_plugin_slurm.accounts import validate_account

    logger = logging.getLogger(__name__)
    logger.addHandler(logging.NullHandler())  # its warning, that there is no accounting
    try:
        validate_account(account, logger)
    except Exception as error:  # it calls sacctmgr and sshare, which may be missing, too
        said = clip(" ".join(str(error).split()), 200)
        raise UserError(f"slurm_account={account}: {said}") from error


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
