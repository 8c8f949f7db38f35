"""Damaged results are noticed, never used, and made again by the same run, byte for byte.

A sample of it runs in test_reruns.py, on the project that is finished there.
"""

import os
import random

import pytest
from project import Project

from largestep.results import damage

#: Files of every kind in results/, store and records included.
KINDS = {
    "data": "data/*.safetensors",
    "facts": "data/*.json",
    "record of data": "data/logs/*.log",
    "store": "store/*/*.safetensors",
    "rows": "tiny/runs/*/seed=?.parquet",
    "runs": "tiny/runs/*/*.runs.parquet",
    "neurons": "tiny/runs/*/*.neurons.parquet",
    "snapshots": "tiny/runs/*/*.snapshots.safetensors",
    "sharpness": "tiny/sharpness/*/*.parquet",
    "flow": "tiny/flow/*/*.parquet",
    "geometry": "tiny/geometry/*/*.parquet",
    "atlas": "tiny/atlas/*.parquet",
    "tables": "tiny/metrics/*.parquet",
    "claims": "tiny/claims.json",
    "findings": "tiny/claims.parquet",
    "SVG": "tiny/figures/*.svg",
    "PDF": "tiny/figures/*.pdf",
    "PNG": "tiny/figures/*.png",
    "page": "tiny/report.html",
    "summary": "tiny/report.md",
    "note": "tiny/report.pdf",
    "records": "tiny/logs/**/*.log",
    "times": "tiny/benchmarks/**/*.tsv",
}

#: Written anew with the date of the run.
DATED = ("report.html", "report.md", ".log", ".tsv")


def contents(project) -> dict[str, bytes]:
    """All results that equal inputs determine."""
    results = project.root / "results"
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file() and not path.name.endswith(DATED) and not path.name.startswith(".")
    }


def harm(path, rng: random.Random, how: str) -> None:
    """Flip one bit of a file, or cut it short."""
    whole = path.read_bytes()
    place = rng.randrange(len(whole))
    flipped = bytes([whole[place] ^ 1 << rng.randrange(8)])
    path.write_bytes(whole[:place] + (flipped + whole[place + 1 :] if how == "flip" else b""))


def check_healed(project, before: dict[str, bytes]) -> None:
    process = project.run("--cores", "2")
    assert process.returncode == 0, process.stdout
    assert "Traceback" not in process.stdout and "delete" not in process.stdout
    assert contents(project) == before
    assert damage.discard(files(project), delete=False) == []


def files(project) -> list[str]:
    """All that the rules write, as they name it."""
    os.chdir(project.root)
    paths = [path for path in (project.root / "results").rglob("*") if path.is_file()]
    names = [path.relative_to(project.root) for path in paths]
    return [str(name) for name in names if damage.log_of(name)]


@pytest.fixture(scope="module")
def everything(tmp_path_factory) -> Project:
    """A finished project of one experiment that has every kind of artifact."""
    project = Project(tmp_path_factory.mktemp("everything"))
    xor = project.content["experiments"]["xor"]
    xor["train"] |= {"seeds": [0], "record": {"snapshots": 4, "neurons": True}}
    asked = {"sharpness": {}, "flow": {}, "geometry": True}
    project.content["experiments"] = {"xor": xor | asked}
    axes = {"x": {"train.eta": [1, 2]}, "y": {"train.seeds": [0, 1]}}
    project.content["atlases"] = {"map": {"of": "xor", "steps": 20, **axes}}
    project.configure()
    project.ran()
    return project


@pytest.mark.slow
def test_every_kind_of_file_is_there(everything):
    for pattern in KINDS.values():
        assert [*(everything.root / "results").glob(pattern)], pattern


@pytest.mark.slow
@pytest.mark.parametrize("how, number", [("flip", 50), ("cut", 20)])
def test_any_damage_heals(everything, how, number, monkeypatch):
    """One file of each of half the kinds at a time, until each kind was damaged often enough."""
    monkeypatch.chdir(everything.root)
    before = contents(everything)
    for turn in range(2 * number):
        rng = random.Random(f"{how} {turn}")
        for pattern in [*KINDS.values()][turn % 2 :: 2]:
            paths = sorted((everything.root / "results").glob(pattern))
            harm(rng.choice([path for path in paths if path.stat().st_size]), rng, how)
        check_healed(everything, before)
