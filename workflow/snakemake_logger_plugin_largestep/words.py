"""Snakemake's messages as short lines."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

#: How messages begin that say nothing to who runs the graph; the log file has them.
_CHATTER = (
    "Assuming unrestricted shared filesystem usage",
    "Building DAG of jobs",
    "Using shell",
    "Select jobs to execute",
    "Group jobs: inactive",
    "Conda environments: ignored",
    "Singularity containers: ignored",
    "Removing output files of failed job",
    "Elapsed time",
    "Reasons:",
    "Exiting because a job execution failed",
    "Shutting down, this might take some time",
    "Some jobs were triggered by provenance information",
    "Rules with provenance triggered jobs",
    # Of its plugins for clusters.
    "SLURM run ID",
    "No SLURM account given, trying to guess",
    "No account was given, not able to get",
    "Unable to guess SLURM account",
    "Both 'sacctmgr' and 'sshare' returned empty results",
    "Cleaning up SLURM log files",
    "Array job submission does not allow",
)

#: How they say that a job is in the queue now: "Job 3 has been submitted with SLURM jobid 17".
_SUBMITTED = re.compile(
    r"Job \S+ has been submitted with SLURM jobid (\d+)"
    r"|Submitted (?:group )?job \S+ with external jobid '(\d+)'"
    r"|Submitted array job .* SLURM job ID (\d+)"
)

_OF_A_JOB = ("CalledProcessError in file", "At least one job did not complete successfully")

#: What Snakemake says when a user stops it.
STOPPING = "Terminating processes on user request"


def says_something(message: str) -> bool:
    return message not in ("", "None") and not message.lstrip().startswith(_CHATTER)


def repeats_a_failure(message: str) -> bool:
    """Whether an error only says that a job failed, which its own line says already."""
    return any(part in message for part in _OF_A_JOB)


def plan(counts: Mapping[str, int]) -> str:
    """Jobs of each rule: 30 jobs: 5 dataset, 9 train, ..."""
    rules = {rule: count for rule, count in counts.items() if rule not in ("all", "total")}
    total = sum(rules.values())
    return f"{total} job{'s' * (total != 1)}: " + ", ".join(f"{n} {r}" for r, n in rules.items())


def reason(text: str) -> str:
    """Why a job runs: the kinds of reasons, with the number of files in place of their names."""
    kinds = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        kind, colon, names = part.partition(":")
        counted = colon and "file" in kind
        kinds.append(f"{kind.lower()} ({len(names.split(','))})" if counted else kind.lower())
    return "; ".join(kinds)


def submitted(message: str) -> str:
    """The number of the job that a cluster was given, where a message tells that."""
    found = _SUBMITTED.match(message)
    return next(filter(None, found.groups())) if found else ""


def cause(message: str | None) -> str:
    """Why a job failed, as a cluster's plugin says it, in one line; without the call it made."""
    said = re.split(r"\n    sbatch call|For further error details", message or "")[0]
    return " ".join(said.split())


def result(logs: Iterable[str]) -> str:
    """What a finished job says of its result, in the record that its log is."""
    for log in logs:
        try:
            return json.loads(Path(log).read_text())["result"]
        except (OSError, ValueError, LookupError, TypeError):
            continue
    return ""


def written(logs: Iterable[str]) -> bool:
    """Whether a job said something in one of its logs."""
    return any(Path(log).is_file() and Path(log).stat().st_size for log in logs)


def logs_of(message: str) -> list[str]:
    """The files that Snakemake names as its complete log, from the working directory."""
    found = re.match(r"Complete log\(s\): (.*)", message)
    paths = [Path(path) for path in found[1].split(", ")] if found else []
    here = Path.cwd()
    return [str(p.relative_to(here)) if p.is_relative_to(here) else str(p) for p in paths]
