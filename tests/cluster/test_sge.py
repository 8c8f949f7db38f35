"""The graph through a real Grid Engine: train jobs in its queue, the same bytes as at home; faults.

Every train job first runs a script that brings a fault about, once or always.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sge as cluster
from project import JOINED, ROOT, Project

PLUGIN = "snakemake-executor-plugin-cluster-generic"


class GridProject(Project):
    """A copy of the project whose Snakemake submits to `engine`."""

    def __init__(self, root: Path, engine: cluster.GridEngine, plugin: Path):
        super().__init__(root)
        self.engine, self.plugin = engine, plugin

    @property
    def environment(self) -> dict[str, str]:
        own, path = super().environment, f"{Path(sys.executable).parent}:"
        return own | {
            **self.engine.environment,
            "PATH": path + self.engine.environment["PATH"],
            "PYTHONPATH": f"{own['PYTHONPATH']}:{self.plugin}",
        }

    @property
    def options(self) -> list[str]:
        """Of the profile, with shorter waits than a real cluster deserves."""
        profile = ["--workflow-profile", "profiles/sge", "--latency-wait", "5"]
        return [*profile, "--seconds-between-status-checks", "1"]

    def before_training(self, script: str) -> None:
        """Let every train job run this shell script first, with its experiment as $1."""
        (self.root / "before.sh").write_text(script)
        command = '"python -m largestep.stages.train'
        first = '"sh before.sh {wildcards.experiment} && python -m largestep.stages.train'
        self.edit("workflow/rules/train.smk", command, first)

    def start(self, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml"]
        with (self.root / "snakemake.out").open("a") as output:
            return subprocess.Popen(
                [*command, *self.options, *options, JOINED],
                cwd=self.root,
                env=self.environment,
                stdout=output,
                stderr=output,
            )

    @property
    def output(self) -> str:
        return (self.root / "snakemake.out").read_text()


@pytest.fixture(scope="module")
def engine():
    """A running one-host Grid Engine; installs Debian's packages where they are missing."""
    if os.geteuid() != 0:
        pytest.skip("starting Grid Engine needs root")
    if cluster.missing():
        if not shutil.which("apt-get"):
            pytest.skip(f"{', '.join(cluster.missing())} missing, and no apt-get to install them")
        try:
            cluster.install()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"Debian's Grid Engine cannot be installed: {error.output[-300:]}")
    with cluster.GridEngine() as running:
        yield running


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> Path:
    """A folder with the plugin, which an ordinary set-up does without."""
    if importlib.util.find_spec(PLUGIN.replace("-", "_")):
        return ROOT
    folder = tmp_path_factory.mktemp("plugin")
    pins = (ROOT / "envs" / "constraints.txt").read_text().splitlines()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    subprocess.run([*pip, *(pin for pin in pins if pin.startswith(PLUGIN))], check=True)
    return folder


@pytest.fixture
def project(tmp_path, engine, plugin) -> GridProject:
    return GridProject(tmp_path, engine, plugin)


@pytest.fixture
def single(project) -> GridProject:
    """A project of one train job."""
    experiments = project.content["experiments"]
    project.content["experiments"] = {"xor": experiments["xor"]}
    experiments["xor"]["train"]["seeds"] = [0]
    project.configure()
    return project


def wait_until(condition, seconds: float = 180):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


FIRST_TIME = 'mkdir "first-$1" 2>/dev/null && '


@pytest.mark.slow
def test_tables_are_those_of_a_run_at_home(project, tmp_path_factory):
    """Small grids share a submission; what they ask for is a limit that they feel."""
    home = Project(tmp_path_factory.mktemp("home"))
    assert home.run("--cores", "2", JOINED).returncode == 0
    project.before_training(
        "echo $1 $JOB_ID $(ulimit -v) >> seen.txt; qstat -j $JOB_ID >> asked.txt"
    )
    process = project.run(*project.options, JOINED)
    assert process.returncode == 0, process.stdout
    seen = [line.split() for line in (project.root / "seen.txt").read_text().splitlines()]
    assert sorted(name for name, _, _ in seen) == ["digits", "points", "xor", "xor"]
    assert len({job for _, job, _ in seen}) == 1
    assert {2500 < int(limit) / 1024 < 6000 for _, _, limit in seen} == {True}
    assert "h_rt=" in (project.root / "asked.txt").read_text()
    assert project.tables() == home.tables()
    assert not project.engine.waiting()


@pytest.mark.slow
def test_the_demo(project, tmp_path_factory):
    home = Project(tmp_path_factory.mktemp("home"))
    for one in (home, project):
        one.configure_demo()
    home.ran()
    process = project.run(*project.options, "all")
    assert process.returncode == 0, process.stdout
    assert project.tables() == home.tables()


@pytest.mark.slow
def test_a_job_that_qdel_kills_is_submitted_again(single):
    single.before_training(f"{FIRST_TIME} sleep 300; true")
    process = single.start()
    wait_until(lambda: any(single.root.glob("first-*")))
    (number,) = single.engine.waiting()
    single.engine.call("qdel", number)
    assert process.wait(300) == 0, single.output
    assert f"Grid Engine's job {number} was killed" in single.output


@pytest.mark.slow
def test_a_job_over_its_memory_gets_more(single):
    single.before_training("python -c 'bytearray(3500 * 2**20)'")
    process = single.start("--retries", "0")
    assert process.wait(300) != 0
    process = single.start("--retries", "3")
    assert process.wait(600) == 0, single.output


@pytest.mark.slow
def test_a_job_over_its_time_gets_more(single):
    single.edit("workflow/largestep/graph/resources.py", "START = 60.0", "START = 35.0")
    single.before_training("sleep 95")
    process = single.start("--retries", "0")
    assert process.wait(300) != 0 and "over its time" in single.output
    process = single.start("--retries", "2")
    assert process.wait(600) == 0, single.output


@pytest.mark.slow
def test_a_restarted_execution_daemon_loses_nothing(single):
    single.before_training(f"{FIRST_TIME} sleep 20; true")
    process = single.start()
    wait_until(lambda: any(single.root.glob("first-*")))
    single.engine.restart("sge_execd")
    assert process.wait(300) == 0, single.output
    assert "killed" not in single.output


@pytest.mark.slow
def test_ctrl_c_deletes_the_jobs(single):
    single.before_training(f"{FIRST_TIME} sleep 300; true")
    process = single.start()
    wait_until(lambda: any(single.root.glob("first-*")))
    process.send_signal(signal.SIGINT)
    assert process.wait(120) != 0
    wait_until(lambda: not single.engine.waiting(), 60)
    process = single.start()
    assert process.wait(300) == 0, single.output
