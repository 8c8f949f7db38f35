"""The graph through a real SLURM: every train job in the queue, the same bytes as at home."""

import re

import pytest
from project import Project, jobs


@pytest.fixture(scope="module")
def at_home(tmp_path_factory) -> Project:
    """The same configuration, trained without a cluster."""
    project = Project(tmp_path_factory.mktemp("home"))
    assert project.run("--cores", "2", *METRICS).returncode == 0
    return project


METRICS = [f"results/tiny/metrics/{name}.parquet" for name in ("trajectories", "runs", "neurons")]
ECHO = '"echo $CUDA_VISIBLE_DEVICES $SLURM_JOB_ID >> visible.txt; python -m largestep.stages.train'


def test_small_grids_share_a_submission_and_have_the_same_numbers(project, at_home):
    process = project.submit(*METRICS)
    assert process.returncode == 0, process.stdout
    assert jobs(process.stdout)["train"] == 4
    (job,) = project.jobs()
    assert job["JobState"] == "COMPLETED"
    asked = _trees(job)
    assert asked["cpu"] == "1" and 500 < int(asked["mem"].rstrip("M")) < 1500
    # In turn: times add up. Four jobs of at least START seconds each.
    assert _minutes(job["TimeLimit"]) >= 4
    assert project.tables() == at_home.tables()


def test_a_gpu_for_each_train_job(project, at_home):
    """GPUs are pretended, so the jobs ask for one, get it, and train on the CPU."""
    project.edit("workflow/rules/train.smk", '"python -m largestep.stages.train', ECHO)
    process = project.submit(
        "--set-resources", "train:gpu=1", "--groups", "train=alone", "--jobs", "3", METRICS[0]
    )
    assert process.returncode == 0, process.stdout
    submitted = project.jobs()
    assert len(submitted) == 4
    for job in submitted:
        assert job["TresPerJob"] == "gres:gpu:1" and _trees(job)["cpu"] == "1"
    lines = (project.root / "visible.txt").read_text().split("\n")[:-1]
    assert {line.split()[0] for line in lines} <= {"0", "1"} and len(lines) == 4
    assert {line.split()[1] for line in lines} == {job["JobId"] for job in submitted}
    assert project.tables().items() <= at_home.tables().items()


def _trees(job: dict[str, str]) -> dict[str, str]:
    """cpu, mem and so on that a job asked for."""
    return dict(pair.split("=") for pair in job["TRES"].split(","))


def _minutes(limit: str) -> float:
    days, hours, minutes, seconds = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", limit).groups()
    return int(days or 0) * 1440 + int(hours) * 60 + int(minutes) + int(seconds) / 60
