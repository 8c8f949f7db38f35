"""A copy of the project in which tests run Snakemake on a tiny configuration."""

import contextlib
import copy
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
import yaml

ROOT = Path(__file__).parents[1]
COPIED = ("Snakefile", "workflow", "config", "envs", "profiles")

#: A file of the tiny configuration that needs all train jobs.
JOINED = "results/tiny/metrics/trajectories.parquet"

#: Text that means something to YAML, Snakemake, the shell, HTML, TeX, Markdown, or Python.
HOSTILE = (
    "weights \\frac{a}{b} {x} {wildcards.job} {{y}} {params.spec:q} %s %(x)d $(touch sprung) "
    "`touch sprung` ${HOME} $\\nosuch$ <b>bold</b> <script>alert(1)</script> 'a' \"b\" ; touch "
    "sprung | & > sprung \\n # * _ [x](y) | é 损失 \N{SNOWMAN} \"'\nsecond line\t@file --option"
)

SNAKEMAKE = (sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml")

TINY = {
    "name": "tiny",
    "device": "cpu",
    "experiments": {
        "xor": {
            "dataset": {"source": "xor"},
            "model": {
                "kind": "two_layer",
                "width": 4,
                "activation": {"name": "leaky_softplus", "c": 0.5},
            },
            "train": {"eta": [1, 20], "seeds": [0, 1], "steps": 200},
            "figure": dict.fromkeys(("title", "paper", "ours", "stand_in"), HOSTILE),
        },
        "points": {
            "dataset": {"source": "five_points"},
            "model": {
                "kind": "two_layer",
                "activation": {"name": "leaky_softplus", "c": 0.5},
                "output_weights": [0.5, -0.5],
                "initial_weights": "zero",
            },
            "train": {
                "stepsize": [3.0],
                "seeds": [0],
                "steps": 100,
                "record": {"neurons": True},
            },
            "figure": {"panels": ["loss", "normalized_margin", "neuron_margins"]},
        },
        "digits": {
            "dataset": {
                "source": "digits",
                "classes": "odd_even",
                "n": 60,
                "preprocessing": ["standardize"],
            },
            "model": {"kind": "mlp", "widths": [8, 8], "activation": {"name": "gelu"}},
            "train": {
                "stepsize": [0.5, 0.05],
                "seeds": [0],
                "steps": 30,
                "dtype": "float32",
                "record": {"snapshots": 4},
            },
            "sharpness": {},
            "flow": {},
            "figure": {
                "panels": ["loss", "test_accuracy", "sharpness", "flow"],
                "stand_in": "digits for MNIST",
            },
        },
    },
}


class Project:
    """A copy of the project in which Snakemake runs."""

    def __init__(self, root: Path):
        self.root = root
        for name in COPIED:
            source = ROOT / name
            copier = shutil.copytree if source.is_dir() else shutil.copy2
            copier(source, root / name)
        self.content = copy.deepcopy(TINY)
        self.configure()

    @property
    def results(self) -> Path:
        return self.root / "results" / self.content["name"]

    def configure(self) -> None:
        """Write `content` as the configuration."""
        apart = json.loads(json.dumps(self.content))  # YAML would give shared parts anchors
        (self.root / "tiny.yaml").write_text(yaml.safe_dump(apart, sort_keys=False))

    def configure_demo(self) -> None:
        """Write config/demo.yaml as the configuration, for the CPU whatever this machine has."""
        self.content = yaml.safe_load((self.root / "config/demo.yaml").read_text())
        self.content["device"] = "cpu"
        self.configure()

    def run(self, *options: str, environment=None, before=()) -> subprocess.CompletedProcess:
        """snakemake on the tiny configuration; output in .stdout, stderr included.

        before: a command that starts it, such as setpriv.
        """
        return subprocess.run(
            [*before, *SNAKEMAKE, *options],
            cwd=self.root,
            env=self.environment | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1200,
        )

    def start(self, *options: str, before=(), output=subprocess.DEVNULL) -> subprocess.Popen:
        """The same, without waiting for it."""
        return subprocess.Popen(
            [*before, *SNAKEMAKE, *options],
            cwd=self.root,
            env=self.environment,
            stdout=output,
            stderr=output,
        )

    @property
    def environment(self) -> dict[str, str]:
        # The copy's own code, also where the project is installed in editable form.
        return os.environ | {
            "PYTHONPATH": str(self.root / "workflow"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def ran(self, *options: str) -> dict[str, int]:
        """Run, expect success, and count the jobs of each rule that ran."""
        process = self.run("--cores", "2", *options)
        assert process.returncode == 0, process.stdout
        return jobs(process.stdout)

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    def trajectories(self, experiment: str) -> pd.DataFrame:
        rows = pd.read_parquet(self.results / "metrics/trajectories.parquet")
        return rows[rows["experiment"] == experiment].reset_index(drop=True)

    def tables(self) -> dict[str, str]:
        """The SHA-256 of every Parquet table: short enough to read where two do not agree."""
        return {
            str(path.relative_to(self.results)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.results.rglob("*.parquet"))
        }


def jobs(output: str) -> dict[str, int]:
    """Counts in the line "3 jobs: 2 train, 1 figure", without the target rule."""
    found = re.search(r"^\d+ jobs?: (.+)$", output, re.MULTILINE)
    pairs = (part.split() for part in found[1].split(", ")) if found else ()
    return {rule: int(count) for count, rule in pairs}


def kill(whom: str, snakemake: subprocess.Popen) -> None:
    """SIGKILL to Snakemake, to the stages it runs, or to both."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(snakemake.pid)
        stages = process.children(recursive=True)
        victims = {"snakemake": [process], "stages": stages, "both": [process, *stages]}[whom]
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.send_signal(signal.SIGKILL)


def wait_until(condition, seconds: float = 180):
    """What a condition returns, once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


@functools.cache
def may_mount() -> bool:
    """Whether this process may mount a file system, as root may where nothing forbids it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tmpfs(Path(folder), "64k"):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


@contextlib.contextmanager
def tmpfs(folder: Path, size: str):
    """A small disk in memory at a folder, which is made; what is on it goes with it."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
