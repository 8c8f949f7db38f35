"""A copy of the project on a real cluster, Snakemake's plugin beside the rest."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import Cluster
from project import JOINED, Project


class ClusterProject(Project):
    """A copy of the project whose Snakemake submits to a cluster."""

    profile: str

    #: Shorter waits than a real cluster deserves.
    waits: tuple[str, ...] = ("--latency-wait", "5", "--seconds-between-status-checks", "1")

    def __init__(self, root: Path, cluster: Cluster, plugin: Path):
        super().__init__(root)
        self.cluster, self.plugin = cluster, plugin

    @property
    def environment(self) -> dict[str, str]:
        own, path = super().environment, f"{Path(sys.executable).parent}:"
        return own | {
            **self.cluster.environment,
            "PATH": path + self.cluster.environment["PATH"],
            "PYTHONPATH": f"{own['PYTHONPATH']}:{self.plugin}",
        }

    @property
    def options(self) -> list[str]:
        return ["--workflow-profile", self.profile, *self.waits]

    def before_training(self, script: str) -> None:
        """Let every train job run this shell script first, with its experiment as $1."""
        (self.root / "before.sh").write_text(script)
        command = '"python -m largestep.stages.train'
        first = '"sh before.sh {wildcards.experiment} && python -m largestep.stages.train'
        self.edit("workflow/rules/train.smk", command, first)

    def only_xor(self, **train) -> None:
        """One experiment with one seed, unless a test says otherwise."""
        xor = self.content["experiments"]["xor"]
        xor["train"] |= {"seeds": [0]} | train
        self.content["experiments"] = {"xor": xor}
        self.configure()

    def submit(
        self, *options: str, target: str = JOINED, environment=None
    ) -> subprocess.CompletedProcess:
        """snakemake through the cluster, to its end."""
        return self.run(*options, *self.options, target, environment=environment)

    def start(self, *options: str, **given) -> subprocess.Popen:
        """The same, without waiting for it; what it says is in `output`."""
        with (self.root / "snakemake.out").open("a") as output:
            return super().start(*options, *self.options, JOINED, output=output, **given)

    @property
    def output(self) -> str:
        return (self.root / "snakemake.out").read_text()

    def begun(self) -> bool:
        """Whether a job has come to a script that begins with FIRST_TIME."""
        return any(self.root.glob("first-*"))


#: Of a script before training: what follows runs once for each experiment.
FIRST_TIME = 'mkdir "first-$1" 2>/dev/null && '


def started(kind: type[Cluster]):
    """A fixture's cluster; installs Debian's packages where they are missing."""
    if os.geteuid() != 0:
        pytest.skip(f"starting {kind.title} needs root")
    if kind.missing():
        if not shutil.which("apt-get"):
            pytest.skip(f"{', '.join(kind.missing())} missing, and no apt-get to install them")
        try:
            kind.install()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"Debian's packages cannot be installed: {error.output[-300:]}")
    with kind() as running:
        yield running
