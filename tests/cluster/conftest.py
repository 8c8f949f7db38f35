"""The project on a real SLURM: one cluster for all tests, Snakemake's plugin beside the rest."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import slurm as cluster
from project import JOINED, ROOT, Project

PLUGIN = "snakemake-executor-plugin-slurm"


class SlurmProject(Project):
    """A copy of the project whose Snakemake submits to `cluster`."""

    def __init__(self, root: Path, slurm: cluster.Slurm, plugin: Path):
        super().__init__(root)
        self.slurm, self.plugin = slurm, plugin

    @property
    def environment(self) -> dict[str, str]:
        own = super().environment
        return own | {
            **self.slurm.environment,
            "PATH": f"{Path(sys.executable).parent}:{self.slurm.environment['PATH']}",
            "PYTHONPATH": f"{own['PYTHONPATH']}:{self.plugin}",
        }

    @property
    def options(self) -> list[str]:
        """Of the profile, with shorter waits than a real cluster deserves."""
        profile = ["--workflow-profile", "profiles/slurm", "--latency-wait", "5"]
        waits = ["--slurm-init-seconds-before-status-checks", "3"]
        return [*profile, *waits, "--seconds-between-status-checks", "1"]

    def before_training(self, script: str) -> None:
        """Let every train job run this shell script first, with its experiment as $1."""
        (self.root / "before.sh").write_text(script)
        command = '"python -m largestep.stages.train'
        first = '"sh before.sh {wildcards.experiment} && python -m largestep.stages.train'
        self.edit("workflow/rules/train.smk", command, first)

    def submit(
        self, *options: str, target: str = JOINED, environment=None
    ) -> subprocess.CompletedProcess:
        """snakemake through SLURM, to its end."""
        return self.run(*options, *self.options, target, environment=environment)

    def start(self, *options: str) -> subprocess.Popen:
        """The same, without waiting for it; its output goes to snakemake.out."""
        command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml"]
        with (self.root / "snakemake.out").open("a") as output:
            return subprocess.Popen(
                [*command, *options, *self.options, JOINED],
                cwd=self.root,
                env=self.environment,
                stdout=output,
                stderr=output,
            )

    def jobs(self) -> list[dict[str, str]]:
        """What SLURM knows of this project's submissions."""
        return [job for job in self.slurm.jobs() if job["WorkDir"] == str(self.root)]


@pytest.fixture(scope="session")
def slurm():
    """A running one-node SLURM; installs Debian's packages where they are missing."""
    if os.geteuid() != 0:
        pytest.skip("starting SLURM needs root")
    if cluster.occupied():
        pytest.skip(f"this machine has a SLURM of its own ({cluster.SYSTEM_CONF})")
    if cluster.missing():
        if not shutil.which("apt-get"):
            pytest.skip(f"{', '.join(cluster.missing())} missing, and no apt-get to install them")
        try:
            cluster.install()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"Debian's SLURM packages cannot be installed: {error.output[-300:]}")
    with cluster.Slurm() as running:
        yield running


@pytest.fixture(scope="session")
def plugin(tmp_path_factory) -> Path:
    """A folder with Snakemake's SLURM plugin, which an ordinary set-up does without."""
    if importlib.util.find_spec(PLUGIN.replace("-", "_")):
        return ROOT
    folder = tmp_path_factory.mktemp("plugin")
    pins = (ROOT / "envs" / "constraints.txt").read_text().splitlines()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    subprocess.run([*pip, *(pin for pin in pins if pin.startswith(PLUGIN))], check=True)
    return folder


@pytest.fixture
def project(tmp_path, slurm, plugin) -> SlurmProject:
    """A fresh copy, nothing run yet."""
    return SlurmProject(tmp_path, slurm, plugin)
