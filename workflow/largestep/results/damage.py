"""Files in results/ that are not what their stage wrote are noticed, and made again.

The record in a job's log says what the job wrote. When a run starts, sizes and times tell which
files to hash (`discard`); before a stage reads a file, it is hashed (`intact`).
"""

import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from largestep.common import locks
from largestep.common.errors import UserError
from largestep.results import provenance

#: Where the rules write, and where the logs of their jobs lie.
_LOGS = (
    (r"results/data/([^/]+)\.(?:safetensors|json)", r"results/data/logs/\1.log"),
    (r"(results/[^/]+)/runs/([^/]+)/([^/.]+)\.[^/]+", r"\1/logs/train/\2/\3.log"),
    (
        r"(results/[^/]+)/(sharpness|flow|geometry)/([^/]+)/([^/.]+)\.parquet",
        r"\1/logs/\2/\3/\4.log",
    ),
    (r"(results/[^/]+)/atlas/([^/.]+)\.parquet", r"\1/logs/atlas/\2.log"),
    (r"(results/[^/]+)/metrics/([^/.]+)\.parquet", r"\1/logs/metrics/\2.log"),
    (r"(results/[^/]+)/figures/([^/.]+)\.[^/]+", r"\1/logs/figure/\2.log"),
    (r"(results/[^/]+)/report\.pdf", r"\1/logs/note.log"),
    (r"(results/[^/]+)/(claims|report|sensitivity)\.[^/]+", r"\1/logs/\2.log"),
)


def log_of(path: Path) -> Path | None:
    """The log of the job that writes a file; None for a file that no rule writes."""
    for pattern, log in _LOGS:
        if found := re.fullmatch(pattern, path.as_posix()):
            return Path(found.expand(log))
    return None


def discard(files: Iterable[str], delete: bool) -> list[str]:
    """Delete, or only tell of, those of a run's `files` that are not what their stage wrote.

    Returns a line for each. Where a record is damaged or missing, nothing vouches for its files,
    and they go. What another process is writing at the moment is left alone. Where it deletes,
    it also sets times that lie in the future to now.
    """
    jobs, said = defaultdict(list), []
    for path in map(Path, files):
        if path.is_file():
            jobs[log_of(path)].append(path)
    for log, paths in jobs.items():
        with suppress(UserError), locks.acquire_or_refuse(provenance.lock_of(log), str(log)):
            if record := provenance.read(log):
                wrong = [path for path in paths if _changed(path, record)]
                said += [f"{path}: is damaged; it is made again" for path in wrong]
            else:
                wrong = paths
                said.append(f"{log}: is damaged or missing; what it vouches for is made again")
            for path in wrong if delete else ():
                path.unlink(missing_ok=True)
            for path in paths if delete else ():
                _leave_the_future(path)
    return said


def _leave_the_future(path: Path) -> None:
    """A file of tomorrow, written while a clock was wrong, would fail every job that reads it:
    Snakemake refuses an output that is older than an input."""
    with suppress(FileNotFoundError):
        if path.stat().st_mtime > time.time():
            os.utime(path)


def _changed(path: Path, record: Mapping[str, Any]) -> bool:
    name = str(path)
    if record["stamps"].get(name) == provenance.stamp(path):
        return False
    return record["writes"].get(name) != provenance.sha256(path)


def intact(path: Path) -> str:
    """The SHA-256 of a file that a stage is about to read.

    A file that is not what its own stage wrote is made again first, by the command in its record.
    Raises UserError where that fails, or where there is no such file.
    """
    log = log_of(path)
    record = provenance.read(log) if log else None
    if _differs(path, record):
        with locks.acquire(provenance.lock_of(log)):  # its job may be writing it at this moment
            record = provenance.read(log)
        if _differs(path, record):
            print(f"{path}: is damaged; it is made again", file=sys.stderr)
            _repeat(record, path)
    return provenance.sha256(path)


def _differs(path: Path, record: Mapping[str, Any] | None) -> bool:
    expected = record and record["writes"].get(str(path))
    return bool(expected) and not (path.is_file() and provenance.sha256(path) == expected)


def _repeat(record: Mapping[str, Any], path: Path) -> None:
    """Run the stage of a record again, with its arguments."""
    lines = []
    for name, value in record["arguments"].items():
        lines += [f"--{name}", *value] if isinstance(value, list) else [f"--{name}={value}"]
    command = [sys.executable, "-m", f"largestep.stages.{record['stage']}", "@/dev/stdin"]
    again = subprocess.run(command, input="".join(f"{line}\n" for line in lines), text=True)
    if again.returncode:
        reason = log_of(path).read_text(errors="replace").strip()
        raise UserError(f"{path}: is damaged, and could not be made again ({reason})")
    if provenance.sha256(path) != record["writes"][str(path)]:
        raise UserError(f"{path}: was damaged, and what it is made from has changed; run again")
