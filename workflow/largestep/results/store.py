"""Finished and interrupted runs by what determines their numbers, so that none is computed twice.

A run lies in `<store>/<key>/`, in one file for each number of steps that it was trained for:
`<steps>-<sha256>.safetensors`, or `checkpoint-<steps>-...` for a run still under way. The name
carries the hash of the contents, so a damaged file is noticed, deleted and never used. Files appear
whole or not at all; two jobs that write the same run write the same bytes.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from largestep.common.files import replacing

_NAME = re.compile(r"(checkpoint-)?(\d+)-([0-9a-f]{64})\.safetensors")


@dataclass(frozen=True)
class Run:
    """One run up to its last recorded step.

    steps: (S,) recorded steps; rows: (S, columns); running: quantities over all steps, scalars;
    neurons: (S, 2, m) or empty; snapshots: `steps` (S',) and the weights there, `layer0`
    (S', out, in) and so on, or nothing; state: what the engine continues from, run axis first
    (of one).
    """

    steps: Tensor
    rows: Tensor
    running: dict[str, Tensor]
    neurons: Tensor
    snapshots: dict[str, Tensor]
    state: dict[str, Tensor]

    @property
    def last(self) -> int:
        return int(self.steps[-1])

    def followed_by(self, later: "Run") -> "Run":
        """This run and its continuation.

        A last step off the grid of recorded steps goes: the continuation does not record it.
        """
        mine = {"steps": self.steps, "rows": self.rows, "neurons": self.neurons}
        theirs = {"steps": later.steps, "rows": later.rows, "neurons": later.neurons}
        snapshots = _followed_by(self.snapshots, later.snapshots)
        running, state = later.running, later.state
        return Run(**_followed_by(mine, theirs), snapshots=snapshots, running=running, state=state)


def key_of(**determinants: Any) -> str:
    """The key of a run: a hash of everything that determines its numbers (JSON values)."""
    text = json.dumps(determinants, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Store:
    """Runs under a folder; safe to share between jobs."""

    def __init__(self, folder: Path):
        self.folder = folder

    def find(self, key: str, steps: int) -> Run | None:
        """The run trained for `steps`, or the longest shorter one; None where there is none."""
        for found, path in sorted(self._files(key), reverse=True):
            if found <= steps and (run := _read(path)):
                return run
        return None

    def save(self, key: str, run: Run, *, checkpoint: bool = False) -> None:
        """Keep a run; its older checkpoints go."""
        payload = save(_flat(run))
        digest = hashlib.sha256(payload).hexdigest()
        folder = self.folder / key
        folder.mkdir(parents=True, exist_ok=True)
        prefix = "checkpoint-" if checkpoint else ""
        path = folder / f"{prefix}{run.last}-{digest}.safetensors"
        with replacing(path) as partial:
            partial.write_bytes(payload)
        for steps, other in self._files(key):
            if other.name.startswith("checkpoint-") and steps <= run.last and other != path:
                other.unlink(missing_ok=True)

    def keys(self) -> dict[str, int]:
        """Bytes held by each key."""
        folders = self.folder.iterdir() if self.folder.is_dir() else ()
        return {f.name: sum(p.stat().st_size for p in f.iterdir()) for f in folders if f.is_dir()}

    def unfinished(self) -> set[str]:
        """Keys of runs that have a checkpoint."""
        return {path.parent.name for path in self.folder.glob("*/checkpoint-*")}

    def prune(self, keep: Iterable[str]) -> None:
        """Delete all runs but those of the keys in `keep`."""
        for key in self.keys().keys() - set(keep):
            shutil.rmtree(self.folder / key)

    def _files(self, key: str) -> list[tuple[int, Path]]:
        folder = self.folder / key
        paths = folder.iterdir() if folder.is_dir() else ()
        return [(int(m[2]), p) for p in paths if (m := _NAME.fullmatch(p.name))]


def _followed_by(mine: dict[str, Tensor], theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of one entry for each of their `steps`, joined; nothing where they are nothing."""
    if not mine:
        return {}
    repeated = bool(theirs["steps"][0] == mine["steps"][-1])
    before, after = slice(None if repeated else -1), slice(repeated, None)
    return {name: torch.cat([mine[name][before], theirs[name][after]]) for name in mine}


def _flat(run: Run) -> dict[str, Tensor]:
    groups = {"running": run.running, "snapshots": run.snapshots, "state": run.state}
    named = {f"{g}.{name}": tensor for g, group in groups.items() for name, tensor in group.items()}
    own = {"steps": run.steps, "rows": run.rows, "neurons": run.neurons}
    return {name: tensor.cpu().contiguous() for name, tensor in (own | named).items()}


def _read(path: Path) -> Run | None:
    """The run in a file; a file that its name does not fit is deleted."""
    try:
        payload = path.read_bytes()
    except FileNotFoundError:  # another job has just put a longer run in its place
        return None
    if hashlib.sha256(payload).hexdigest() != _NAME.fullmatch(path.name)[3]:
        path.unlink(missing_ok=True)
        return None
    tensors = load(payload)

    def group(name: str) -> dict[str, Tensor]:
        start = f"{name}."
        return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}

    own = {name: tensors[name] for name in ("steps", "rows", "neurons")}
    return Run(**own, **{name: group(name) for name in ("running", "snapshots", "state")})
