"""Disturb runs at random for a while; after each disturbance the results must be the usual ones.

    python tests/soak.py --minutes 30 --seed 0

Kills, flipped bits, files cut short, folders deleted, a full disk (as root; else a limit on the
size of files), times of files moved, a wrong clock (where `faketime` is installed), an edited
configuration, two runs at once. The same seed disturbs in the same order (what a kill hits depends
on the machine's speed). Ends with exit code 1 at the first result that differs, with the folder
left for a look.
"""

import argparse
import collections
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from project import Project, kill, may_mount, tmpfs

#: Two configurations of one name between which a run is edited, by their stepsizes.
VARIANTS = ([1, 20], [1, 5, 20])

CORES = ("--cores", "2")

#: Bytes: what may be left on a disk that is filled, and a limit on files where none can be.
LITTLE = 2**18


def configure(project: Project, variant: int) -> None:
    """One experiment that has every kind of artifact, some seconds of it training."""
    xor = project.content["experiments"]["xor"]
    xor["train"] |= {"eta": VARIANTS[variant], "seeds": [0], "steps": 20_000}
    xor["train"]["record"] = {"snapshots": 4, "neurons": True}
    asked = {"sharpness": {}, "flow": {}, "geometry": True}
    project.content["experiments"] = {"xor": xor | asked}
    project.configure()


def files(project: Project) -> list[Path]:
    found = sorted((project.root / "results").rglob("*"))
    return [path for path in found if path.is_file() and path.stat().st_size]


def lose(project: Project, rng: random.Random) -> None:
    folders = sorted(path for path in (project.root / "results").rglob("*") if path.is_dir())
    shutil.rmtree(rng.choice(folders), ignore_errors=True)  # a killed run may still write


def interrupt(project: Project, rng: random.Random) -> None:
    """Kill a run that has something to do."""
    lose(project, rng)
    running = project.start(*CORES)
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(rng.uniform(0, 30))
    kill(rng.choice(("snakemake", "stages", "both")), running)
    running.wait()


def flip(project: Project, rng: random.Random) -> None:
    for path in rng.sample(files(project), 3):
        whole = bytearray(path.read_bytes())
        whole[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(whole)


def cut(project: Project, rng: random.Random) -> None:
    for path in rng.sample(files(project), 3):
        os.truncate(path, rng.randrange(path.stat().st_size))


def fill(project: Project, rng: random.Random) -> None:
    lose(project, rng)
    results, little = project.root / "results", rng.randrange(LITTLE)
    if not results.is_mount():
        project.start(*CORES, before=("prlimit", f"--fsize={little}")).wait()
        return
    filler = results / ".filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(results).free - little)
    project.start(*CORES).wait()
    filler.unlink()


def move_times(project: Project, rng: random.Random) -> None:
    for path in files(project):
        moment = time.time() + rng.uniform(-1e8, 1e8)
        os.utime(path, (moment, moment))


def change_the_clock(project: Project, rng: random.Random) -> None:
    """A run whose clock is years off, either way."""
    lose(project, rng)
    clock = ("faketime", "-m", "--exclude-monotonic", "-f", f"{rng.randrange(-1000, 1000):+d}d")
    project.start(*CORES, before=clock).wait()


def edit(project: Project, rng: random.Random) -> None:
    """Another configuration, for a run that is killed; then it is changed back, or not."""
    configure(project, rng.randrange(len(VARIANTS)))
    interrupt(project, rng)


def two_at_once(project: Project, rng: random.Random) -> None:
    lose(project, rng)
    for running in [project.start(*CORES), project.start(*CORES)]:
        running.wait()


DISTURBANCES = [interrupt, flip, cut, lose, fill, move_times, edit, two_at_once]
if shutil.which("faketime"):
    DISTURBANCES.append(change_the_clock)


def undisturbed(folder: Path) -> list[dict[str, str]]:
    """The tables of each variant."""
    expected = []
    for variant in range(len(VARIANTS)):
        root = folder / f"undisturbed-{variant}"
        root.mkdir()
        project = Project(root)
        configure(project, variant)
        project.ran()
        expected.append(project.tables())
    return expected


def soak(project: Project, expected: list[dict[str, str]], minutes: float, seed: int) -> str | None:
    """Disturb for so many minutes; what is wrong in the end, or None."""
    configure(project, 0)
    project.ran()
    rng, done, begun = random.Random(seed), collections.Counter(), time.monotonic()
    while time.monotonic() < begun + 60 * minutes:
        disturb, variant = rng.choice(DISTURBANCES), rng.randrange(len(VARIANTS))
        disturb(project, rng)
        configure(project, variant)
        process = project.run(*CORES)
        done[disturb.__name__] += 1
        at = f"{time.monotonic() - begun:6.0f} s  {done.total():3}"
        print(f"{at}  {disturb.__name__}, then configuration {variant}", flush=True)
        if process.returncode or "Traceback" in process.stdout:
            return f"the run after it failed\n{process.stdout[-3000:]}"
        if project.tables() != expected[variant]:
            return "the tables are not those of an undisturbed run"
    print(", ".join(f"{name} {count}" for name, count in sorted(done.items())), "and no difference")
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    expected = undisturbed(folder)
    (folder / "disturbed").mkdir()
    project = Project(folder / "disturbed")
    results = project.root / "results"
    with tmpfs(results, "64m") if may_mount() else contextlib.nullcontext():
        if wrong := soak(project, expected, arguments.minutes, arguments.seed):
            shutil.copytree(results, folder / "results", symlinks=True)  # a mounted one goes
            sys.exit(f"{folder}: {wrong}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
