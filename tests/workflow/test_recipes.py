"""CONTRIBUTING.md: the code of every recipe, as it stands, works and makes nothing rerun."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
FILES = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
CHANGES = re.findall(r"```diff\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)


def replacements(diff: str) -> list[tuple[str, str]]:
    """Old and new text of each group of lines with - and then +."""
    found = []
    for old, new in re.findall(r"((?:^-.*\n)+)((?:^\+.*\n)+)", diff, re.MULTILINE):
        plain = [re.sub(r"^[-+]", "", text, flags=re.MULTILINE).rstrip("\n") for text in (old, new)]
        found.append(tuple(plain))
    return found


@pytest.fixture
def extended(rerun):
    """A finished project with every recipe applied."""
    for path, code in FILES:
        assert not (rerun.root / path).exists()
        (rerun.root / path).write_text(code)
    for path, diff in CHANGES:
        for old, new in replacements(diff):
            rerun.edit(path, old, new)
    return rerun


def test_every_kind_of_part_has_a_recipe():
    assert len(FILES) == len(CHANGES) == 7


def test_recipes_work_and_nothing_that_was_trained_runs_again(extended):
    # The new claim is judged; the report shows it; figures take their colours from all stepsizes.
    counted = extended.ran("-n")
    assert not {"dataset", "train", "sharpness", "flow"} & counted.keys()
    extended.content["experiments"] = {
        "new": {
            "dataset": {"source": "circle", "n": 6},
            "model": {"kind": "two_layer", "width": 4, "activation": {"name": "algebraic"}},
            "train": {
                "loss": {"name": "squared_logistic"},
                "direction": {"name": "heavy_ball", "beta": 0.5},
                "policy": {"name": "capped", "cap": 3},
                "stepsize": [0.5, 2],
                "seeds": [0],
                "steps": 50,
                "record": {"snapshots": 2},
            },
            "sharpness": {},
            "figure": {"panels": ["loss", "gradient_norm", "sharpness"]},
        }
    }
    extended.configure()
    process = extended.run("--cores", "2")
    assert process.returncode == 0, process.stdout
    for part in ("algebraic", "squared_logistic"):
        assert process.stdout.count(f"{part}: has no compiled code") == 1
    runs = pd.read_parquet(extended.results / "metrics/runs.parquet")
    assert set(runs["loss_function"]) == {"squared logistic"}
    assert set(runs["descent"]) == {"heavy ball (beta = 0.5)"}
    assert set(runs["policy"]) == {"capped (cap = 3)"}
    assert runs["final_loss"].notna().all()
    claims = json.loads((extended.results / "claims.json").read_text())
    entry = next(claim for claim in claims if claim["id"] == "gradient-vanishes")
    assert entry["verdict"] == "holds", json.dumps(entry)
    assert "Gradient norm" in (extended.results / "figures/new.svg").read_text()
    assert "gradient-vanishes" in (extended.results / "report.html").read_text()
