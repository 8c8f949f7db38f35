"""Real Snakemake runs of a tiny configuration in a copy of the project."""

import copy
import shutil

import pytest
from project import Project


@pytest.fixture
def project(tmp_path) -> Project:
    """A fresh copy, nothing run yet."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """A copy with a finished run; tests must leave it as it is."""
    project = Project(tmp_path_factory.mktemp("finished"))
    project.ran()
    return project


@pytest.fixture
def rerun(finished, tmp_path) -> Project:
    """A private copy of the finished project, Snakemake's memory included."""
    root = tmp_path / "copy"
    shutil.copytree(finished.root, root, symlinks=True)
    project = object.__new__(Project)
    project.root, project.content = root, copy.deepcopy(finished.content)
    return project
