"""The graph through a real SLURM: every train job in the queue, the same bytes as at home.

Then what goes wrong on a cluster: jobs that are killed, daemons that restart, a submitter that
dies. Every train job first runs a script that brings the fault about, once or always.
"""

import re
import signal
import time

import pytest
from cluster_project import FIRST_TIME, ClusterProject, started
from project import JOINED, Project, jobs, wait_until
from slurm import GPUS, SYSTEM_CONF, Slurm, occupied

from largestep.results import provenance, tables

PLUGIN = "snakemake-executor-plugin-slurm"


class SlurmProject(ClusterProject):
    profile = "profiles/slurm"
    waits = (*ClusterProject.waits, "--slurm-init-seconds-before-status-checks", "3")

    def jobs(self) -> list[dict[str, str]]:
        """What SLURM knows of this project's submissions."""
        return [job for job in self.cluster.jobs() if job["WorkDir"] == str(self.root)]


@pytest.fixture(scope="module")
def slurm():
    if occupied():
        pytest.skip(f"this machine has a SLURM of its own ({SYSTEM_CONF})")
    yield from started(Slurm)


@pytest.fixture
def project(tmp_path, slurm, plugin) -> SlurmProject:
    """A fresh copy, nothing run yet."""
    return SlurmProject(tmp_path, slurm, plugin)


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


@pytest.mark.slow
def test_small_grids_share_a_submission_large_ones_do_not(project, at_home):
    """GPUs are pretended: the jobs ask for one each, get it, and train on the CPU."""
    project.before_training(
        "echo $1 $CUDA_VISIBLE_DEVICES $SLURM_JOB_ID >> visible.txt; "
        "test $1 = points || echo begins >> turns.txt; sleep 1; "
        "test $1 = points || echo ends >> turns.txt"
    )
    project.content = at_home.content
    project.configure()
    process = project.submit("--set-resources", "train:gpu=1")
    assert process.returncode == 0, process.stdout
    assert jobs(process.stdout)["train"] == 3
    assert process.stdout.count("Submitted: job") == 2
    for noise in ("account", "SLURM run ID", "Cleaning up", "has been submitted"):
        assert noise not in process.stdout

    large, small = sorted(project.jobs(), key=lambda job: _asked(job, "mem"))
    seen = [line.split() for line in (project.root / "visible.txt").read_text().splitlines()]
    assert sorted((experiment, job) for experiment, _, job in seen) == sorted(
        [("digits", small["JobId"]), ("points", large["JobId"]), ("xor", small["JobId"])]
    )
    gpu = {job: {gpu for _, gpu, found in seen if found == job} for _, _, job in seen}
    one, other = gpu.values()
    assert len(one) == len(other) == 1 and one != other
    for job in (large, small):
        assert job["JobState"] == "COMPLETED"
        assert job["TresPerJob"] == "gres:gpu:1" and _asked(job, "cpu") == 1
        assert 500 < _asked(job, "mem") < 1500
    assert (project.root / "turns.txt").read_text().split() == 2 * ["begins", "ends"]
    # In turn on the node: times add up, two of at least a minute. The large one is alone.
    assert 2 <= _minutes(small["TimeLimit"]) < 15 < _minutes(large["TimeLimit"])
    assert project.tables() == at_home.tables()


@pytest.mark.slow
def test_the_demo(project, demo):
    """All of it: every train job from the queue with its resources, equal tables."""
    project.before_training("echo $1 $CUDA_VISIBLE_DEVICES $SLURM_JOB_ID >> visible.txt")
    project.configure_demo()
    process = project.submit("--set-resources", "train:gpu=1", target="all")
    assert process.returncode == 0, process.stdout
    seen = [line.split() for line in (project.root / "visible.txt").read_text().splitlines()]
    assert len(seen) == jobs(process.stdout)["train"] == 9
    assert {experiment for experiment, _, _ in seen} == project.content["experiments"].keys()
    assert {gpu for _, gpu, _ in seen} <= {*map(str, range(GPUS))}
    submitted = {job["JobId"]: job for job in project.jobs()}
    assert {job["JobState"] for job in submitted.values()} == {"COMPLETED"}
    for job in {number for _, _, number in seen}:
        assert submitted[job]["TresPerJob"] == "gres:gpu:1" and _asked(submitted[job], "cpu") == 1
        assert 500 < _asked(submitted[job], "mem") < 3000
        assert 2 <= _minutes(submitted[job]["TimeLimit"]) < 24 * 60
    assert project.tables() == demo.tables()
    assert (project.results / "report.html").exists()


@pytest.mark.slow
def test_jobs_at_the_same_time_have_a_gpu_each(project):
    """As many as the node has; each waits for all the others before it trains."""
    project.only_xor(seeds=[*range(GPUS)])
    project.before_training(
        "echo $CUDA_VISIBLE_DEVICES >> visible.txt; "
        f"until test $(wc -l < visible.txt) = {GPUS}; do sleep 0.2; done"
    )
    process = project.submit("--set-resources", "train:gpu=1", "--groups", "train=alone")
    assert process.returncode == 0, process.stdout
    assert sorted((project.root / "visible.txt").read_text().split()) == [*map(str, range(GPUS))]


@pytest.fixture
def demo(tmp_path_factory) -> Project:
    """The demo without a cluster."""
    project = Project(tmp_path_factory.mktemp("demo"))
    project.configure_demo()
    project.ran()
    return project


def test_what_the_command_line_configures_reaches_the_jobs(project):
    """A job on the cluster reads the Snakefile again: with the same --config.

    And it runs with the Python that runs Snakemake, in an environment that is not activated.
    """
    del project.content["experiments"]["points"], project.content["experiments"]["digits"]
    project.content["device"] = "cuda"
    project.configure()
    target = JOINED.replace("tiny", "other")
    given = ("--config", "name=other", "device=cpu", "threads=2")
    bare = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    process = project.submit(*given, target=target, environment=bare)
    assert process.returncode == 0, process.stdout
    assert {job["JobState"] for job in project.jobs()} == {"COMPLETED"}
    assert not project.results.exists()
    runs = tables.read(project.root / "results/other/runs/xor/seed=0.runs.parquet")
    assert set(runs["device"]) == {"cpu"}
    record = provenance.read(project.root / "results/other/logs/train/xor/seed=0.log")
    assert record["arguments"]["threads"] == "2"


def _asked(job: dict[str, str], what: str) -> int:
    """cpu or mem (MB) that a job asked for."""
    return int(dict(pair.split("=") for pair in job["TRES"].split(","))[what].rstrip("M"))


def _minutes(limit: str) -> float:
    days, hours, minutes, seconds = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", limit).groups()
    return int(days or 0) * 1440 + int(hours) * 60 + int(minutes) + int(seconds) / 60


@pytest.fixture
def single(project):
    """A project of one train job, unless a test adds more."""
    project.only_xor()
    return project


def running(project) -> list[str]:
    """Numbers of the project's running jobs whose training has begun (or is held up)."""
    begun = project.begun()
    return [job["JobId"] for job in project.jobs() if begun and job["JobState"] == "RUNNING"]


def asked(project, field: str) -> list[str]:
    """A field of all submissions, in their order."""
    return [job[field] for job in sorted(project.jobs(), key=lambda job: int(job["JobId"]))]


PARTITION, ACCOUNT = "# slurm_partition", "# slurm_account"

REFUSED = {
    "no such partition": ({PARTITION: "nosuch"}, "nosuch"),
    "a partition of others": ({PARTITION: "theirs"}, "slurm_partition=theirs"),
    "an account of others": (
        {PARTITION: "theirs", ACCOUNT: "mine"},
        "slurm_partition=theirs, slurm_account=mine",
    ),
    "an account unknown to its accounting": ({ACCOUNT: "mine"}, "slurm_account=mine: "),
}


def configure_profile(project, given: dict[str, str]) -> None:
    """As docs/scaling.md says: a line of the profile is no comment any more."""
    for line, value in given.items():
        key = line.removeprefix("# ")
        project.edit("profiles/slurm/config.yaml", line, f"{key}: {value} # {key}")


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED)
def test_a_partition_or_account_that_slurm_refuses_is_one_line(single, case):
    """There is no accounting here; where there is, `sacctmgr` lists a user's accounts."""
    given, said = REFUSED[case]
    configure_profile(single, given)
    listed = single.root / "bin" / "sacctmgr"
    listed.parent.mkdir()
    listed.write_text("#!/bin/sh\necho theirs\n")
    listed.chmod(0o755)
    process = single.submit(environment={"PATH": f"{listed.parent}:{single.environment['PATH']}"})
    assert process.returncode != 0
    *_, last = process.stdout.strip().splitlines()
    assert last.startswith(("SLURM refuses jobs with", "slurm_account=")) and said in last
    assert len(last) < 300 and "Traceback" not in process.stdout
    assert not single.jobs()


@pytest.mark.slow
def test_an_account_is_taken_where_there_is_no_accounting(single):
    configure_profile(single, {ACCOUNT: "mine"})
    process = single.submit()
    assert process.returncode == 0, process.stdout
    assert asked(single, "Account") == ["mine"]
    assert "sacctmgr" not in process.stdout


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_more_memory_than_any_node_has_is_told(single, threads):
    """Of a group, one thread each, Snakemake does not say why it was refused; of a job, it does."""
    asked_for = ("--set-resources", "train:mem_mb=900000", "--config", f"threads={threads}")
    process = single.submit(*asked_for, "--retries", "0")
    assert process.returncode != 0
    (line,) = [line for line in process.stdout.splitlines() if "SLURM would refuse a job" in line]
    assert "--mem=900000M" in line and "Requested node configuration is not available" in line
    last = process.stdout.splitlines()[-1]
    assert ("Memory specification can not be satisfied" in last) == (threads == 2)


@pytest.mark.slow
def test_a_cancelled_job_is_submitted_again(single):
    single.before_training(f"{FIRST_TIME} sleep 300; true")
    process = single.start()
    (number,) = wait_until(lambda: running(single))
    single.cluster.call("scancel", number)
    assert process.wait(200) == 0, single.output
    assert asked(single, "JobState") == ["CANCELLED", "COMPLETED"]


@pytest.mark.slow
@pytest.mark.parametrize("megabytes, succeeds", [(1800, True), (4000, False)])
def test_a_job_over_its_memory_gets_more_and_is_named_in_the_end(single, megabytes, succeeds):
    hog = f"bytearray({megabytes} * 2**20).find(1); import time; time.sleep(6)"
    single.before_training(f"python -c '{hog}'")
    process = single.submit("--retries", "1")
    assert (process.returncode == 0) == succeeds, process.stdout
    first, second = (int(asked.rstrip("M")) for asked in asked(single, "MinMemoryNode"))
    assert first < 1800 < second == pytest.approx(2 * first, abs=2)
    states = asked(single, "JobState")
    assert (states[1] == "COMPLETED") == succeeds
    assert succeeds or "Exceeded job memory limit" in process.stdout


@pytest.mark.slow
def test_a_job_over_its_time_gets_more_and_is_named_in_the_end(single):
    single.edit("workflow/largestep/graph/resources.py", "START = 60.0", "START = 35.0")
    single.before_training("sleep 85")  # SLURM looks at the time twice a minute
    process = single.submit("--retries", "0")
    assert process.returncode and "DUE TO TIME LIMIT" in process.stdout
    assert asked(single, "TimeLimit") == ["00:01:00"]
    process = single.submit("--retries", "2")
    assert process.returncode == 0, process.stdout
    # SLURM may have forgotten the first submission by now.
    assert asked(single, "TimeLimit")[-2:] == ["00:01:00", "00:02:00"]
    assert asked(single, "JobState")[-2:] == ["TIMEOUT", "COMPLETED"]


@pytest.mark.slow
def test_a_restarted_node_daemon_loses_nothing(single):
    single.before_training(f"{FIRST_TIME} sleep 15; true")
    process = single.start()
    wait_until(lambda: running(single))
    single.cluster.restart("slurmd")
    assert process.wait(200) == 0, single.output
    assert asked(single, "JobState") == ["COMPLETED"]


@pytest.mark.slow
def test_a_dead_submitter_is_started_again(single):
    """Running jobs are waited for, not doubled; finished ones are not repeated."""
    experiments = single.content["experiments"]
    experiments["held"] = {
        **experiments["xor"],
        "model": {**experiments["xor"]["model"], "width": 2},  # shorter, so it comes second
    }
    single.configure()
    # Held until the second submitter has seen it, whatever time that takes.
    hold = "mkdir -p first-held; until test -e released; do sleep 1; done"
    single.before_training(f"echo $1 >> order.txt; if test $1 = held; then {hold}; fi")
    process = single.start("--groups", "train=alone")
    finished = single.results / "runs" / "xor" / "seed=0.parquet"
    wait_until(lambda: len(running(single)) == 1 and "Training xor" in single.output)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(running(single)) == 1
    written = finished.stat().st_mtime_ns

    process = single.start("--groups", "train=alone")
    wait_until(lambda: "Waiting for SLURM jobs of an earlier run" in single.output)
    (single.root / "released").touch()
    most = 0
    while process.poll() is None:
        most = max(most, len(running(single)))
        time.sleep(0.5)
    assert process.returncode == 0, single.output
    assert most == 1
    assert finished.stat().st_mtime_ns == written
    # The job that ran on is asked for once more, and finds its runs in the store.
    assert sorted((single.root / "order.txt").read_text().split()) == ["held", "held", "xor"]
    kept = list((single.root / "results" / "store").rglob("*.safetensors"))
    assert len(kept) == 4
    ended = max(map(_seconds, asked(single, "EndTime")[:2]))
    assert all(path.stat().st_mtime <= ended + 1 for path in kept)


def _seconds(when: str) -> float:
    return time.mktime(time.strptime(when, "%Y-%m-%dT%H:%M:%S"))
