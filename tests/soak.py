"""Disturb runs at random for a while; after each disturbance the results must be the usual ones.

    python tests/soak.py --minutes 30 --seed 0

Kills, flipped bits, files cut short, a limit on the size of files (as a full disk), times of files
moved to the past or the future, an edited configuration, two runs at once. The same seed disturbs
in the same order (what a kill hits depends on the machine's speed). Ends with exit code 1 at the
first result that differs, with the folder left for a look.
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from project import Project

#: Two configurations of one name between which a run is edited, by their stepsizes.
VARIANTS = ([1, 20], [1, 5, 20])


def configure(project: Project, variant: int) -> None:
    """One experiment that has every kind of artifact, some seconds of it training."""
    xor = project.content["experiments"]["xor"]
    xor["train"] |= {"eta": VARIANTS[variant], "seeds": [0], "steps": 20_000}
    xor["train"]["record"] = {"snapshots": 4, "neurons": True}
    project.content["experiments"] = {"xor": xor | {"sharpness": {}, "flow": {}}}
    project.configure()


def start(project: Project, *before: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml", "--cores", "2"]
    return subprocess.Popen(
        [*before, *command],
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def files(project: Project) -> list[Path]:
    found = sorted((project.root / "results").rglob("*"))
    return [path for path in found if path.is_file() and path.stat().st_size]


def kill(project: Project, rng: random.Random) -> None:
    running, whom = start(project), rng.choice(("snakemake", "stages", "both"))
    time.sleep(rng.uniform(0, 40))
    try:
        process = psutil.Process(running.pid)
        victims = {"snakemake": [process], "stages": [], "both": [process]}[whom]
        victims += process.children(recursive=True) if whom != "snakemake" else []
        for victim in victims:
            victim.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        pass  # it has ended meanwhile
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
    cut(project, rng)
    start(project, "prlimit", f"--fsize={rng.randrange(2**10, 2**18)}").wait()


def turn_back_time(project: Project, rng: random.Random) -> None:
    for path in files(project):
        moment = time.time() + rng.uniform(-1e8, 1e8)
        os.utime(path, (moment, moment))


def edit(project: Project, rng: random.Random) -> None:
    """Another configuration, for a run that is killed; then it is changed back, or not."""
    configure(project, rng.randrange(len(VARIANTS)))
    kill(project, rng)


def two_at_once(project: Project, rng: random.Random) -> None:
    (project.results / "claims.json").unlink(missing_ok=True)
    for running in [start(project), start(project)]:
        running.wait()


DISTURBANCES = (kill, flip, cut, fill, turn_back_time, edit, two_at_once)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    expected = []
    for variant in range(len(VARIANTS)):
        root = folder / f"undisturbed-{variant}"
        root.mkdir()
        undisturbed = Project(root)
        configure(undisturbed, variant)
        undisturbed.ran()
        expected.append(undisturbed.tables())
    (folder / "disturbed").mkdir()
    project, rng = Project(folder / "disturbed"), random.Random(arguments.seed)
    configure(project, 0)
    project.ran()
    until, done = time.monotonic() + 60 * arguments.minutes, collections.Counter()
    while time.monotonic() < until:
        disturb, variant = rng.choice(DISTURBANCES), rng.randrange(len(VARIANTS))
        disturb(project, rng)
        configure(project, variant)
        process = project.run("--cores", "2")
        done[disturb.__name__] += 1
        print(f"{sum(done.values())} {disturb.__name__}, then configuration {variant}", flush=True)
        if process.returncode or "Traceback" in process.stdout:
            sys.exit(f"{folder}: the run after it failed\n{process.stdout[-3000:]}")
        if project.tables() != expected[variant]:
            sys.exit(f"{folder}: the tables are not those of an undisturbed run")
    print(", ".join(f"{name} {count}" for name, count in sorted(done.items())), "and no difference")


if __name__ == "__main__":
    main()
