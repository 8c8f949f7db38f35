"""Locks that the kernel holds for a process: they die with it, and nobody unlocks by hand."""

import fcntl
from pathlib import Path
from typing import IO

from largestep.base import UserError


def acquire(path: Path) -> IO:
    """Wait for the lock of `path` and hold it until the returned file is closed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held = path.open("a")
    fcntl.flock(held, fcntl.LOCK_EX)
    return held


def acquire_or_refuse(path: Path, what: str) -> IO:
    """As `acquire`, but raises UserError where another process holds the lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held = path.open("a")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        held.close()
        raise UserError(f"{what} is in use by another run; wait for it to end") from error
    return held
