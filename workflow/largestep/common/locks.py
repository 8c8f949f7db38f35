"""Locks that the kernel holds for a process: they die with it, and nobody unlocks by hand.

A lock is of an open file. Who waits for it may find, when it comes, that its last holder has
deleted or renamed the file; then it is a lock of nothing, and another is taken.
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import IO

from largestep.common.errors import UserError


def acquire(path: Path) -> IO:
    """Wait for the lock of `path` and hold it until the returned file is closed."""
    while not (held := _lock(path, fcntl.LOCK_EX)):
        pass
    return held


def acquire_or_refuse(path: Path, what: str) -> IO:
    """As `acquire`, but raises UserError where another process holds the lock."""
    try:
        while not (held := _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)):
            pass
    except BlockingIOError as error:
        raise UserError(f"{what} is in use by another run; wait for it to end") from error
    return held


def _lock(path: Path, operation: int) -> IO | None:
    """The locked file, or None where `path` has become another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(path.open("a"))
        try:
            fcntl.flock(held, operation)
        except OSError as error:
            if error.errno in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
                reason = "this file system has no locks; mount it with them, or work on another"
                raise UserError(f"{path}: {reason}") from error
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(held.fileno()), path.stat()):
                stack.pop_all()
                return held
    return None
