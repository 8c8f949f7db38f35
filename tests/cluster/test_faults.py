"""What goes wrong on a cluster: jobs that are killed, daemons that restart, a submitter that dies.

Every train job first runs a script that brings the fault about, once or always.
"""

import signal
import time

import pytest

pytestmark = pytest.mark.slow

FIRST_TIME = 'mkdir "first-$1" 2>/dev/null && '


@pytest.fixture
def project(project):
    """One experiment and one job, unless a test adds more."""
    del project.content["experiments"]["points"], project.content["experiments"]["digits"]
    project.content["experiments"]["xor"]["train"]["seeds"] = [0]
    project.configure()
    return project


def wait_until(condition, seconds: float = 120):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def running(project) -> list[str]:
    """Numbers of the project's running jobs whose training has begun (or is held up)."""
    begun = any(project.root.glob("first-*"))
    return [job["JobId"] for job in project.jobs() if begun and job["JobState"] == "RUNNING"]


def asked(project, field: str) -> list[str]:
    """A field of all submissions, in their order."""
    return [job[field] for job in sorted(project.jobs(), key=lambda job: int(job["JobId"]))]


def output(project) -> str:
    return (project.root / "snakemake.out").read_text()


def test_a_cancelled_job_is_submitted_again(project):
    project.before_training(f"{FIRST_TIME} sleep 300; true")
    process = project.start()
    (number,) = wait_until(lambda: running(project))
    project.slurm.call("scancel", number)
    assert process.wait(200) == 0, output(project)
    assert "'CANCELLED'" in output(project)
    assert asked(project, "JobState") == ["CANCELLED", "COMPLETED"]


@pytest.mark.parametrize("megabytes, succeeds", [(1000, True), (3500, False)])
def test_a_job_over_its_memory_gets_more_and_is_named_in_the_end(project, megabytes, succeeds):
    hog = f"bytearray({megabytes} * 2**20).find(1); import time; time.sleep(6)"
    project.before_training(f"python -c '{hog}'")
    process = project.submit("--retries", "1")
    assert (process.returncode == 0) == succeeds, process.stdout
    first, second = (int(asked.rstrip("M")) for asked in asked(project, "MinMemoryNode"))
    assert first < 1000 < second == pytest.approx(2 * first, abs=2)
    states = asked(project, "JobState")
    assert states == ["OUT_OF_MEMORY", "COMPLETED" if succeeds else "OUT_OF_MEMORY"]
    assert "'OUT_OF_MEMORY'" in process.stdout


def test_a_job_over_its_time_gets_more_and_is_named_in_the_end(project):
    project.edit("workflow/largestep/resources.py", "START = 60.0", "START = 35.0")
    project.before_training("sleep 95")
    process = project.submit("--retries", "0")
    assert process.returncode and "'TIMEOUT'" in process.stdout
    assert asked(project, "TimeLimit") == ["00:01:00"]
    process = project.submit("--retries", "2")
    assert process.returncode == 0, process.stdout
    assert asked(project, "TimeLimit")[1:] == ["00:01:00", "00:02:00"]
    assert asked(project, "JobState")[1:] == ["TIMEOUT", "COMPLETED"]


def test_a_restarted_node_daemon_loses_nothing(project):
    project.before_training(f"{FIRST_TIME} sleep 15; true")
    process = project.start()
    wait_until(lambda: running(project))
    project.slurm.restart("slurmd")
    assert process.wait(200) == 0, output(project)
    assert asked(project, "JobState") == ["COMPLETED"]


def test_a_dead_submitter_is_started_again(project):
    """Running jobs are waited for, not doubled; finished ones are not repeated."""
    experiments = project.content["experiments"]
    experiments["held"] = {
        **experiments["xor"],
        "model": {**experiments["xor"]["model"], "width": 6},
    }
    project.configure()
    script = "echo $1 >> order.txt; if test $1 = held; then mkdir first-held && sleep 40; fi; true"
    project.before_training(script)
    process = project.start("--groups", "train=alone")
    finished = project.results / "runs" / "xor" / "seed=0.parquet"
    wait_until(lambda: len(running(project)) == 1 and "1 of " in output(project))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(running(project)) == 1
    written = finished.stat().st_mtime_ns

    process = project.start("--groups", "train=alone")
    wait_until(lambda: "Waiting for SLURM jobs of an earlier run" in output(project))
    most = 0
    while process.poll() is None:
        most = max(most, len(running(project)))
        time.sleep(0.5)
    assert process.returncode == 0, output(project)
    assert most == 1
    assert finished.stat().st_mtime_ns == written
    # The job that ran on is asked for once more, and finds its runs in the store.
    assert sorted((project.root / "order.txt").read_text().split()) == ["held", "held", "xor"]
    kept = list((project.root / "results" / "store").rglob("*.safetensors"))
    first = project.jobs()[1]
    assert len(kept) == 4
    assert all(path.stat().st_mtime <= _seconds(first["EndTime"]) + 1 for path in kept)


def _seconds(when: str) -> float:
    return time.mktime(time.strptime(when, "%Y-%m-%dT%H:%M:%S"))
