"""Killed jobs, full disks, several runs at once: the next run ends well, with the same numbers."""

import contextlib
import os
import random
import shutil
import subprocess
import time

import psutil
import pytest
import yaml
from project import Project, kill, may_mount, tmpfs

from largestep.results import tables
from largestep.results.store import Store

#: Only what trains: that is where time and state are.
TRAINING = ("--until", "metrics")
TWO = ("--cores", "2")


def lengthen(project) -> None:
    """A configuration of some seconds of training, so that there is something to kill."""
    project.content["experiments"] = {"digits": project.content["experiments"]["digits"]}
    project.content["experiments"]["digits"]["train"]["steps"] = 3000
    project.content["experiments"]["digits"]["flow"] = {"evaluations": 1000}
    project.configure()


ALONE = ("stages", "snakemake")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("undisturbed"))
    lengthen(project)
    begun = time.monotonic()
    project.ran(*TRAINING)
    return project, time.monotonic() - begun


@pytest.mark.parametrize(
    "whom", [*(pytest.param(w, marks=pytest.mark.slow) for w in ALONE), "both"]
)
def test_killed_at_a_random_moment(project, undisturbed, whom):
    check_killed(project, undisturbed, whom, random.Random(whom).random())


def check_killed(project, undisturbed, whom, moment):
    whole, seconds = undisturbed
    lengthen(project)
    running = project.start(*TWO, *TRAINING)
    time.sleep(moment * seconds)
    kill(whom, running)
    running.wait(timeout=120)
    project.ran(*TRAINING)
    assert project.tables() == whole.tables()


@pytest.fixture(scope="module")
def whole_demo(tmp_path_factory):
    """An undisturbed demo: its tables, and the seconds that it took."""
    project = Project(tmp_path_factory.mktemp("demo"))
    project.configure_demo()
    begun = time.monotonic()
    project.ran()
    return project.tables(), time.monotonic() - begun


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
def test_a_demo_killed_at_five_moments(project, whole_demo, number):
    """Twenty kills all over the demo; each run after a kill is killed again, but the last."""
    expected, seconds = whole_demo
    project.configure_demo()
    pause = seconds / 10 * (0.5 + (number + 0.5) / 4)
    running = None
    for whom in ("stages", "snakemake", "both", "stages", "both"):
        until = time.monotonic() + pause
        while time.monotonic() < until:  # a run whose stages were killed may end by itself
            if running is None or running.poll() is not None:
                running = project.start(*TWO)
            time.sleep(0.2)
        kill(whom, running)
        if whom != "stages":
            running.wait()
    project.ran()
    assert project.tables() == expected


def test_a_second_run_at_the_same_time_refuses(project, undisturbed):
    lengthen(project)
    running = project.start(*TWO, *TRAINING)
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
    assert project.tables() == undisturbed[0].tables()


@pytest.mark.slow
def test_two_configurations_train_the_same_runs_at_once(project, undisturbed):
    lengthen(project)
    project.ran("--until", "dataset")
    names, together = ("one", "two"), False
    for name in names:
        project.content["name"] = name
        (project.root / f"{name}.yaml").write_text(yaml.safe_dump(project.content))
    both = [project.start(*TWO, *TRAINING, "--configfile", f"{name}.yaml") for name in names]
    while any(each.poll() is None for each in both):
        together |= all(trains(each) for each in both)
        time.sleep(0.05)
    assert together and [each.returncode for each in both] == [0, 0]
    for name in names:
        project.content["name"] = name
        assert project.tables() == undisturbed[0].tables()
    store = Store(project.root / "results" / "store")
    entries = list(store.folder.iterdir())
    assert [len(list(entry.iterdir())) for entry in entries] == [1, 1]
    assert [store.find(entry.name, 3000).last for entry in entries] == [3000, 3000]


def trains(snakemake: subprocess.Popen) -> bool:
    """Whether one of its jobs is training."""
    with contextlib.suppress(psutil.NoSuchProcess):
        stages = psutil.Process(snakemake.pid).children(recursive=True)
        return any("largestep.stages.train" in stage.cmdline() for stage in stages)
    return False


@pytest.mark.slow
def test_sigterm_ends_a_run_whatever_it_is_doing(project):
    """Here Snakemake waits for a file of a finished job, and holds the lock of its scheduler."""
    only_xor(project)
    command = '"python -m largestep.stages.train'
    project.edit("workflow/rules/train.smk", command, f'"touch done && exit 0; " {command}')
    running = project.start(*TWO, *TRAINING, "--latency-wait", "20")
    while not (project.root / "done").exists():
        assert running.poll() is None
        time.sleep(0.05)
    time.sleep(5)
    running.terminate()
    try:
        assert running.wait(timeout=60) != 0
    finally:
        running.kill()


def only_xor(project) -> None:
    project.content["experiments"] = {"xor": project.content["experiments"]["xor"]}
    project.configure()


def trained(project) -> dict[str, str]:
    """The files of the XOR runs, after a run of the graph up to them."""
    project.ran(*TRAINING)
    return {name: data for name, data in project.tables().items() if name.startswith("runs/xor/")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, str]:
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


@pytest.mark.skipif(not may_mount(), reason="needs to mount a small tmpfs")
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
        process = project.run("--cores", "2", *TRAINING)
        assert process.returncode != 0
        assert message in process.stdout
        subprocess.run(["mount", "-o", "remount,rw,size=64m", str(results)], check=True)
        assert trained(project) == whole


bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.mark.skipif(bool(bound) and not shutil.which("setpriv"), reason="root needs setpriv")
@pytest.mark.parametrize(
    "place",
    ["tiny/runs/xor", *(pytest.param(p, marks=pytest.mark.slow) for p in ("", "tiny", "store"))],
)
def test_a_folder_without_permission_is_one_clear_line_and_no_harm(project, whole, place):
    """Permissions bind root, too, where it gives up its privilege over them."""
    only_xor(project)
    folder = project.root / "results" / place
    folder.mkdir(parents=True)
    (folder / "kept").touch()  # Snakemake removes an empty folder of a failed job
    folder.chmod(0o555)
    process = project.run("--cores", "2", *TRAINING, before=bound)
    assert process.returncode != 0
    said = f"results/{place}".rstrip("/")
    denied = [line for line in process.stdout.splitlines() if "Permission denied" in line]
    assert denied and all(said in line for line in denied)
    assert "Traceback" not in process.stdout and "Errno" not in process.stdout
    folder.chmod(0o755)
    assert trained(project) == whole
