"""The graph through a real Grid Engine: train jobs in its queue, the same bytes as at home; faults.

Every train job first runs a script that brings a fault about, once or always.
"""

import signal

import pytest
from cluster_project import FIRST_TIME, ClusterProject, started
from project import JOINED, Project, wait_until
from sge import GridEngine

from largestep.graph import grid_engine

PLUGIN = "snakemake-executor-plugin-cluster-generic"


class GridProject(ClusterProject):
    profile = "profiles/sge"


@pytest.fixture(scope="module")
def engine():
    yield from started(GridEngine)


@pytest.fixture
def project(tmp_path, engine, plugin) -> GridProject:
    return GridProject(tmp_path, engine, plugin)


@pytest.fixture
def single(project) -> GridProject:
    """A project of one train job."""
    project.only_xor()
    return project


@pytest.mark.slow
def test_tables_are_those_of_a_run_at_home(project, tmp_path_factory):
    """Small grids share a submission; what they ask for is a limit that they feel."""
    home = Project(tmp_path_factory.mktemp("home"))
    assert home.run("--cores", "2", JOINED).returncode == 0
    project.before_training(
        "echo $1 $JOB_ID $(ulimit -v) >> seen.txt; qstat -j $JOB_ID >> asked.txt; "
        "echo begins >> turns.txt; sleep 1; echo ends >> turns.txt"
    )
    process = project.submit()
    assert process.returncode == 0, process.stdout
    seen = [line.split() for line in (project.root / "seen.txt").read_text().splitlines()]
    assert sorted(name for name, _, _ in seen) == ["digits", "points", "xor", "xor"]
    assert len({job for _, job, _ in seen}) == 1
    beyond = {int(limit) / 1024 - grid_engine.addresses() for _, _, limit in seen}
    assert {500 < megabytes < 2000 for megabytes in beyond} == {True}
    assert (project.root / "turns.txt").read_text().split() == 4 * ["begins", "ends"]
    assert "h_rt=" in (project.root / "asked.txt").read_text()
    assert project.tables() == home.tables()
    assert not project.cluster.waiting()


@pytest.mark.slow
def test_the_demo(project, tmp_path_factory):
    home = Project(tmp_path_factory.mktemp("home"))
    for one in (home, project):
        one.configure_demo()
    home.ran()
    process = project.submit(target="all")
    assert process.returncode == 0, process.stdout
    assert project.tables() == home.tables()


@pytest.mark.slow
def test_a_job_that_qdel_kills_is_submitted_again(single):
    single.before_training(f"{FIRST_TIME} sleep 300; true")
    process = single.start()
    wait_until(single.begun)
    (number,) = single.cluster.waiting()
    single.cluster.call("qdel", number)
    assert process.wait(300) == 0, single.output
    assert f"Grid Engine's job {number} was killed" in single.output


@pytest.mark.slow
def test_a_job_over_its_memory_gets_more(single):
    """Addresses are what h_vmem limits: a first attempt has 1,200 MB beyond those that are free."""
    hog = grid_engine.addresses() + 1500
    single.before_training(f"python -c 'bytearray({hog} * 2**20)'")
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
    wait_until(single.begun)
    single.cluster.restart("sge_execd", crash=True)
    assert process.wait(300) == 0, single.output
    assert "killed" not in single.output


@pytest.mark.slow
def test_ctrl_c_deletes_the_jobs(single):
    single.before_training(f"{FIRST_TIME} sleep 300; true")
    process = single.start()
    wait_until(single.begun)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) != 0
    wait_until(lambda: not single.cluster.waiting(), 60)
    process = single.start()
    assert process.wait(300) == 0, single.output
