"""Killed jobs, full disks, several runs at once: the next run ends well, with the same numbers."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from largestep import tables


def start(project) -> subprocess.Popen:
    command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml", "--cores", "2"]
    # Only what trains: that is where time and state are.
    return subprocess.Popen(
        [*command, "--until", "metrics"],
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill(whom: str, snakemake: subprocess.Popen) -> None:
    """SIGKILL to Snakemake, to the stages it runs, or to all."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(snakemake.pid)
        stages = process.children(recursive=True)
        victims = {"snakemake": [process], "stages": stages, "both": [process, *stages]}[whom]
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.send_signal(signal.SIGKILL)


def lengthen(project) -> None:
    """A configuration of some seconds of training, so that there is something to kill."""
    project.content["experiments"] = {"digits": project.content["experiments"]["digits"]}
    project.content["experiments"]["digits"]["train"]["steps"] = 3000
    project.configure()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    from project import Project

    project = Project(tmp_path_factory.mktemp("undisturbed"))
    lengthen(project)
    begun = time.monotonic()
    project.ran("--until", "metrics")
    return project, time.monotonic() - begun


@pytest.mark.parametrize("whom", ["stages", "snakemake", "both"])
def test_killed_at_a_random_moment(project, undisturbed, whom):
    check_killed(project, undisturbed, whom, random.Random(whom).random())


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_killed_at_many_moments(project, undisturbed, number):
    whom = ("stages", "snakemake", "both")[number % 3]
    check_killed(project, undisturbed, whom, (number + 0.5) / 20)


def check_killed(project, undisturbed, whom, moment):
    whole, seconds = undisturbed
    lengthen(project)
    running = start(project)
    time.sleep(moment * seconds)
    kill(whom, running)
    if whom != "stages":
        running.wait()
    else:
        running.wait(timeout=120)
    project.ran("--until", "metrics")
    assert project.tables() == whole.tables()


def test_a_second_run_at_the_same_time_refuses(project):
    lengthen(project)
    running = start(project)
    try:
        lock = project.results / ".lock"
        while not lock.exists():
            assert running.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
        process = project.run("--cores", "1")
        assert process.returncode != 0
        assert "results/tiny/ is in use by another run" in process.stdout
        assert "Traceback" not in process.stdout
    finally:
        assert running.wait(timeout=120) == 0


def only_xor(project) -> None:
    project.content["experiments"] = {"xor": project.content["experiments"]["xor"]}
    project.configure()


def trained(project) -> dict[str, str]:
    """The files of the XOR runs, after a run of the graph up to them."""
    project.ran("--until", "metrics")
    return {name: data for name, data in project.tables().items() if name.startswith("runs/xor/")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, str]:
    from project import Project

    project = Project(tmp_path_factory.mktemp("whole"))
    only_xor(project)
    return trained(project)


def test_a_diverging_stepsize_is_a_result(project):
    only_xor(project)
    train = project.content["experiments"]["xor"]["train"]
    train["eta"] = [1, 20, 1.0e308]
    project.configure()
    trained(project)
    runs = tables.read(project.results / "metrics/runs.parquet")
    diverged = runs[runs["eta"] > 100]
    assert (diverged["status"] == "diverged").all() and diverged["status_step"].between(0, 3).all()
    assert (runs["status"][runs["eta"] < 100] == "ok").all()
    beside = tables.read(project.results / "metrics/trajectories.parquet")
    train["eta"] = [1, 20]
    project.configure()
    trained(project)
    alone = tables.read(project.results / "metrics/trajectories.parquet")
    assert alone.equals(beside[beside["eta"] < 100].reset_index(drop=True))


mountable = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("mount"), reason="needs root, to mount a small tmpfs"
)


@contextlib.contextmanager
def tmpfs(folder, size):
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this system does not allow to mount a tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@mountable
@pytest.mark.parametrize(
    ("size", "mode", "message"),
    [("64k", "rw", "No space left on device"), ("64m", "ro", "Read-only file system")],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_nothing_is_one_clear_line_and_no_harm(
    project, whole, size, mode, message
):
    only_xor(project)
    results = project.root / "results"
    with tmpfs(results, size):
        subprocess.run(["mount", "-o", f"remount,{mode}", str(results)], check=True)
        process = project.run("--cores", "2", "--until", "metrics")
        assert process.returncode != 0
        assert message in process.stdout
        subprocess.run(["mount", "-o", "remount,rw,size=64m", str(results)], check=True)
        assert trained(project) == whole


@pytest.mark.parametrize("name", ["tiny/runs/xor/seed=1.parquet", "data/xor.safetensors"])
def test_damage_is_noticed_and_repaired_by_the_next_runs(project, whole, name):
    only_xor(project)
    trained(project)
    path = project.root / "results" / name
    content = path.read_bytes()
    path.write_bytes(content[:-40] + bytes(20) + content[-20:])
    # Whatever reads the damaged file refuses it, and the next run makes it again.
    project.content["experiments"]["xor"]["train"]["eta"] = [1, 5, 20]
    project.configure()
    project.run("--cores", "2", "--until", "metrics")
    project.content["experiments"]["xor"]["train"]["eta"] = [1, 20]
    project.configure()
    project.run("--cores", "2", "--until", "metrics")
    assert trained(project) == whole
