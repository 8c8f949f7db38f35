"""Sharpness and gradient flow, killed in the middle, go on from where they were."""

import time
from pathlib import Path

import pytest
from project import Project, kill, wait_until

#: Of each stage: the line before which a resumed job is asked how many rows it has found again.
BEGINS = {
    "sharpness": "    for run, place, _ in places[len(found) :]:",
    "flow": "    for seed in seeds[len(counts) :]:",
}
FOUND = {"sharpness": "found", "flow": "rows"}


def lengthen(project: Project) -> None:
    """Some seconds of sharpness and of gradient flow, with twenty checkpoints in each."""
    digits = project.content["experiments"]["digits"]
    digits["train"] |= {"seeds": [0, 1, 2], "seeds_per_job": 3}
    digits["train"] |= {"steps": 3000, "record": {"snapshots": 16}}
    digits |= {
        "sharpness": {"top": 4, "tolerance": 1e-10, "products": 2000},
        "flow": {"tolerance": 1e-12, "evaluations": 10**6},
    }
    project.content["experiments"] = {"digits": digits}
    project.configure()
    project.edit("workflow/largestep/results/checkpoint.py", "SECONDS = 60.0", "SECONDS = 0.05")
    for stage, line in BEGINS.items():
        tell = f'    open("begun.{stage}", "a").write(f"{{len({FOUND[stage]})}}\\n")\n'
        project.edit(f"workflow/largestep/results/{stage}_rows.py", line, tell + line)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp("whole"))
    lengthen(project)
    project.ran("--until", *BEGINS)
    return project


def interrupt(project: Project, stage: str) -> Path:
    """Kill a run some time after its first checkpoint, and return where that is."""
    place = project.results / stage / "digits"
    before = {path: path.stat().st_mtime_ns for path in place.glob(".*.checkpoint")}

    def newer() -> bool:
        found = place.glob(".*.checkpoint")
        return any(path.stat().st_mtime_ns != before.get(path) for path in found)

    running = project.start("--cores", "1", "--until", stage)
    wait_until(lambda: newer() or running.poll() is not None)
    time.sleep(0.2)
    assert running.poll() is None
    kill("both", running)
    running.wait()
    # Beside it may lie one that was being written.
    return min(place.glob(".*.checkpoint"), key=lambda path: len(path.name))


CASES = [
    ("sharpness", False),
    pytest.param("sharpness", True, marks=pytest.mark.slow),
    ("flow", False),
]


@pytest.mark.parametrize("stage, damaged", CASES)
def test_a_killed_job_goes_on(project, whole, stage, damaged):
    """Killed twice; after a checkpoint in which a bit flipped, it begins at the beginning."""
    lengthen(project)
    for _ in range(2):
        checkpoint = interrupt(project, stage)
    if damaged:
        content = bytearray(checkpoint.read_bytes())
        content[-1] ^= 1
        checkpoint.write_bytes(content)
    project.ran("--until", *BEGINS)
    found = [int(line) for line in (project.root / f"begun.{stage}").read_text().split()]
    assert len(found) == 3 and 0 == found[0] < found[1]
    assert found[2] == 0 if damaged else found[1] < found[2]
    assert project.tables() == whole.tables()
    assert not checkpoint.exists()
