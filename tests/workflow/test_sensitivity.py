"""Variants in a real run: the longest job first, and a figure of what the verdicts depend on."""

import re

from project import TINY


def test_long_jobs_come_first_and_variants_have_their_figure(project):
    base = TINY["experiments"]["xor"]
    project.content["experiments"] = {
        "short": base | {"train": {"eta": [1], "seeds": [0], "steps": 50}},
        "shorter": {"variant_of": "short", "train": {"steps": 20}},
        "long": {"variant_of": "short", "model": {"width": 8}, "train": {"steps": 100_000}},
    }
    project.configure()
    done = project.run("--cores", "1")
    assert done.returncode == 0, done.stdout
    order = re.findall(r"Training (\w+), seed 0: 1 run", done.stdout)
    assert order == ["long", "short", "shorter"]
    for suffix in ("svg", "pdf", "png"):
        assert (project.results / f"sensitivity.{suffix}").stat().st_size > 1000
    report = (project.results / "report.md").read_text()
    assert "| claim | width | effort |" in report or "| claim | effort | width |" in report
    again = project.run("--cores", "1")
    assert "Nothing to be done" in again.stdout


def test_without_variants_there_is_no_such_figure(finished):
    assert not list(finished.results.glob("sensitivity.*"))
