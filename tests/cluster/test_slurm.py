"""The graph through a real SLURM: every train job in the queue, the same bytes as at home."""

import re

import pytest
from project import JOINED, Project, jobs


@pytest.fixture(scope="module")
def at_home(tmp_path_factory) -> Project:
    """The same configuration, trained without a cluster."""
    project = Project(tmp_path_factory.mktemp("home"))
    experiments = project.content["experiments"]
    experiments["points"]["train"]["steps"] = 10**6  # too long for a group
    experiments["xor"]["train"]["seeds"] = [0]
    project.configure()
    assert project.run("--cores", "2", JOINED).returncode == 0
    return project


def test_small_grids_share_a_submission_large_ones_do_not(project, at_home):
    """GPUs are pretended: the jobs ask for one each, get it, and train on the CPU."""
    project.before_training("echo $1 $CUDA_VISIBLE_DEVICES $SLURM_JOB_ID >> visible.txt")
    project.content = at_home.content
    project.configure()
    process = project.submit("--set-resources", "train:gpu=1")
    assert process.returncode == 0, process.stdout
    assert jobs(process.stdout)["train"] == 3

    large, small = sorted(project.jobs(), key=lambda job: _asked(job, "mem"))
    seen = [line.split() for line in (project.root / "visible.txt").read_text().splitlines()]
    assert sorted((experiment, job) for experiment, _, job in seen) == sorted(
        [("digits", small["JobId"]), ("points", large["JobId"]), ("xor", small["JobId"])]
    )
    gpu = {job: {gpu for _, gpu, found in seen if found == job} for _, _, job in seen}
    assert sorted(gpu.values(), key=sorted) == [{"0"}, {"1"}]
    for job in (large, small):
        assert job["JobState"] == "COMPLETED"
        assert job["TresPerJob"] == "gres:gpu:1" and _asked(job, "cpu") == 1
        assert 500 < _asked(job, "mem") < 1500
    # In turn on the node: times add up, two of at least a minute. The large one is alone.
    assert 2 <= _minutes(small["TimeLimit"]) < 15 < _minutes(large["TimeLimit"])
    assert project.tables() == at_home.tables()


def _asked(job: dict[str, str], what: str) -> int:
    """cpu or mem (MB) that a job asked for."""
    return int(dict(pair.split("=") for pair in job["TRES"].split(","))[what].rstrip("M"))


def _minutes(limit: str) -> float:
    days, hours, minutes, seconds = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", limit).groups()
    return int(days or 0) * 1440 + int(hours) * 60 + int(minutes) + int(seconds) / 60
