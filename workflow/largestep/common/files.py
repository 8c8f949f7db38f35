"""Files appear whole or not at all."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from largestep.common import locks
from largestep.common.errors import UserError

_PARTIAL = re.compile(r"\..+\.\d+\.\w+")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary sibling of `path` that takes its place when the block ends well."""
    path = Path(path)
    _sweep(path.parent)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    with locks.acquire(partial):
        try:
            yield partial
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Delete what killed processes were writing: nobody holds its lock any more."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if _PARTIAL.fullmatch(path.name):
            with contextlib.suppress(UserError), locks.acquire_or_refuse(path, path.name):
                path.unlink(missing_ok=True)
