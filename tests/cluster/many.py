"""What a thousand small jobs cost through SLURM: in groups, as an array, or one submission each.

    PYTHONPATH=tests python tests/cluster/many.py groups --jobs 1000

The jobs only make their files, so that what is left is the price of the way there. As root, with
Snakemake's plugin installed (the extra `.[slurm]`).
"""

import argparse
import contextlib
import ctypes
import importlib.util
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

from cluster_project import ClusterProject
from project import jobs
from slurm import SYSTEM_CONF, Slurm, occupied
from test_slurm import PLUGIN, SlurmProject

#: Options of Snakemake, and whether the rule's own groups stay.
WAYS = {
    "groups": ((), True),
    "array": (("--slurm-array-jobs", "train"), False),
    "alone": ((), False),
}

NAME = PLUGIN.replace("-", "_")

SET_CHILD_SUBREAPER = 36  # of prctl


def cpu_seconds() -> float:
    """Of all that this process has started and that has ended, daemons and their jobs included."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def configure(project: ClusterProject, number: int, grouped: bool) -> None:
    project.only_xor(seeds=[*range(number)], seeds_per_job=1)
    train = "workflow/rules/train.smk"
    command = '"python -m largestep.stages.train'
    project.edit(train, command, '"touch {output:q}; true largestep.stages.train')
    # The plugin breaks an array's command where it passes it as a script.
    project.edit("profiles/slurm/config.yaml", "slurm-pass-command-as-script: true\n", "")
    if not grouped:
        project.edit(train, "    group:\n        graph.requests.group\n", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--jobs", type=int, default=1000)
    arguments = parser.parse_args()
    options, grouped = WAYS[arguments.way]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if occupied():
        sys.exit(f"this machine has a SLURM of its own ({SYSTEM_CONF})")
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1)  # else jobs would go to init, uncounted
    with tempfile.TemporaryDirectory() as folder:
        with Slurm() as slurm:
            plugin = Path(importlib.util.find_spec(NAME).origin).parents[1]
            project = SlurmProject(Path(folder), slurm, plugin)
            configure(project, arguments.jobs, grouped)
            project.ran("--until", "dataset")
            begun, used = time.monotonic(), cpu_seconds()
            process = project.run(*options, "--until", "train", *project.options)
            took = time.monotonic() - begun
        used = cpu_seconds() - used
    if process.returncode or jobs(process.stdout) != {"train": arguments.jobs}:
        sys.exit(process.stdout[-3000:])
    submitted = process.stdout.count("Submitted: job")
    print(f"{arguments.way}: {arguments.jobs} jobs, {submitted} submissions, ", end="")
    print(f"{took:.0f} s, {used:.0f} s of CPU time")


if __name__ == "__main__":
    main()
