"""Where a file comes from: what a stage read, wrote and ran with, kept in the job's log."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from largestep.common.fingerprint import closure


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record(
    stage: str,
    arguments: Mapping[str, str | list[str]],
    reads: Mapping[Path, str],
    writes: Iterable[Path],
) -> dict[str, Any]:
    """All that is needed to trace, verify and repeat what a stage has written.

    reads: the hash of each file that it read.
    """
    writes = list(writes)
    return {
        "stage": stage,
        "arguments": dict(arguments),
        "reads": {str(path): digest for path, digest in reads.items()},
        "writes": {str(path): sha256(path) for path in writes},
        "stamps": {str(path): stamp(path) for path in writes},
        "commit": commit(),
        "libraries": versions(closure(f"largestep.stages.{stage}", registries=True)[1]),
        "machine": machine(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def stamp(path: Path) -> list[int]:
    """Size and time of the last change (ns): where they are as recorded, no need to hash."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def write(record: Mapping[str, Any], log: Path) -> None:
    """Make a job's log its record, which carries the hash of its contents."""
    log.write_text(json.dumps({**record, "sha256": _digest(record)}, indent=1) + "\n")


def lock_of(log: Path) -> Path:
    """What a job locks from its start to its end."""
    return log.with_name(f".{log.name}.lock")


def verify(logs: Iterable[Path]) -> list[str]:
    """What differs from the records in `logs`, one line a file; empty where all is as recorded."""
    found = {path: read(path) for path in logs}
    records = [record for record in found.values() if record]
    wrong = [
        f"{path}: is no record of a finished job" for path, record in found.items() if not record
    ]
    made = {path: digest for record in records for path, digest in record["writes"].items()}
    for path, digest in sorted(made.items()):
        if not Path(path).is_file():
            wrong.append(f"{path}: is missing")
        elif sha256(Path(path)) != digest:
            wrong.append(f"{path}: is not the file that its stage wrote")
    for record in records:
        for path, digest in record["reads"].items():
            if made.get(path, digest) != digest:
                outputs = ", ".join(record["writes"])
                wrong.append(f"{outputs}: made from an older {path}")
    return wrong


def read(log: Path) -> dict[str, Any] | None:
    """The record in a job's log; None where the job failed or the log is damaged."""
    try:
        found = json.loads(log.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    expected = found.pop("sha256", None)
    return found if expected == _digest(found) else None


def _digest(record: Mapping[str, Any]) -> str:
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def commit() -> str:
    """The git commit of the code, with "-dirty" where files differ from it."""
    folder = Path(__file__).parent
    if not (folder.parents[2] / ".git").exists():  # an archive, perhaps inside another checkout
        return "not a git checkout"
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return described.stdout.strip() or "not a git checkout"


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Installed versions by distribution name; what is not installed is left out."""
    found = {}
    for library in sorted(libraries):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


@cache
def machine() -> dict[str, str | int]:
    """Processor, cores, memory and system; no host's name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(memory / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def processor() -> str:
    """Its name as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")
