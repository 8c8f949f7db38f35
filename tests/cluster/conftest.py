"""What a cluster's tests need beside an ordinary set-up."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT


@pytest.fixture(scope="module")
def plugin(request, tmp_path_factory) -> Path:
    """A folder with Snakemake's plugin, which an ordinary set-up does without."""
    name = request.module.PLUGIN
    if importlib.util.find_spec(name.replace("-", "_")):
        return ROOT
    folder = tmp_path_factory.mktemp("plugin")
    pins = (ROOT / "envs" / "constraints.txt").read_text().splitlines()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    subprocess.run([*pip, *(pin for pin in pins if pin.startswith(name))], check=True)
    return folder
