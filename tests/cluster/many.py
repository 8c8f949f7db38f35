"""What a thousand small jobs cost through SLURM: in groups, as an array, or one submission each.

    python tests/cluster/many.py groups --jobs 1000

The jobs only make their files, so that what is left is the price of the way there. As root; CPU
seconds are those of all processes below this one, where control groups can be made.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

from cluster_project import ClusterProject
from project import jobs
from slurm import Slurm
from test_slurm import SlurmProject

#: Options of Snakemake, and whether the rule's own groups stay.
WAYS = {
    "groups": ((), True),
    "array": (("--slurm-array-jobs", "train"), False),
    "alone": ((), False),
}

USED = Path("/sys/fs/cgroup/many")


def enter_group() -> None:
    """From now on, what this process starts is counted in a group of its own."""
    with contextlib.suppress(OSError):
        USED.mkdir(exist_ok=True)
        (USED / "cgroup.procs").write_text(str(os.getpid()))


def cpu_seconds() -> float:
    with contextlib.suppress(OSError):
        return int((USED / "cpu.stat").read_text().split()[1]) / 1e6
    return float("nan")


def configure(project: ClusterProject, number: int, grouped: bool) -> None:
    project.only_xor(seeds=[*range(number)], seeds_per_job=1)
    train = "workflow/rules/train.smk"
    command = '"python -m largestep.stages.train'
    project.edit(train, command, '"touch {output:q}; true largestep.stages.train')
    if not grouped:
        project.edit(train, "    group:\n        graph.requests.group\n", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--jobs", type=int, default=1000)
    arguments = parser.parse_args()
    options, grouped = WAYS[arguments.way]
    enter_group()
    with tempfile.TemporaryDirectory() as folder, Slurm() as slurm:
        project = SlurmProject(Path(folder), slurm, Path(folder))
        configure(project, arguments.jobs, grouped)
        project.ran("--until", "dataset")
        begun, used = time.monotonic(), cpu_seconds()
        process = project.run(*options, "--until", "train", *project.options)
        took, used = time.monotonic() - begun, cpu_seconds() - used
        if process.returncode or jobs(process.stdout) != {"train": arguments.jobs}:
            sys.exit(process.stdout[-3000:])
        submitted = process.stdout.count("Submitted: job")
    print(f"{arguments.way}: {arguments.jobs} jobs, {submitted} submissions, ", end="")
    print(f"{took:.0f} s, {used:.0f} s of CPU time")


if __name__ == "__main__":
    main()
