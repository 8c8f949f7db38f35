"""Real Snakemake runs of a tiny configuration in a copy of the project."""

import copy
import shutil
from pathlib import Path

import pytest
from project import TINY, Project

from largestep.common import locks


@pytest.fixture
def project(tmp_path) -> Project:
    """A fresh copy, nothing run yet."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id) -> Project:
    """A copy with a finished run, made once for all workers; tests must leave it as it is."""
    base = tmp_path_factory.getbasetemp()
    made = (base if worker_id == "master" else base.parent) / "made"
    with locks.acquire(made.with_name(".made.lock")):
        if not made.exists():
            made.mkdir()
            Project(made).ran()
    return copied(made, tmp_path_factory.mktemp("finished") / "copy")


@pytest.fixture
def rerun(finished, tmp_path) -> Project:
    """A private copy of the finished project."""
    return copied(finished.root, tmp_path / "copy")


def copied(source: Path, root: Path) -> Project:
    """A copy of a project with its results, Snakemake's memory included."""
    shutil.copytree(source, root, symlinks=True)
    project = object.__new__(Project)
    project.root, project.content = root, copy.deepcopy(TINY)
    return project
