"""The numbers that docs/beyond.md names, from a finished run of config/beyond.yaml.

python tests/beyond_numbers.py [results/beyond]   writes docs/reference/beyond.json; a test sets the
page beside it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from largestep.configuration import reading
from largestep.configuration.experiment import Experiment
from largestep.results import best, norms, tables

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs/reference/beyond.json"
POLICIES = ("policies_xor", "policies_separable", "policies_images", "policies_mlp")


def flavors(of: Experiment, rows: pd.DataFrame) -> dict[str, Any]:
    """Medians across seeds at the last step, by direction."""
    last, order = rows[rows["step"] == rows["step"].max()], of.model.order
    own = {each.train.direction.label: each.train.direction.norm for each in of.apart}
    own = {label: norm or "linf" for label, norm in own.items()}  # Adam's stands beside it
    last = last.assign(
        **{norm: norms.margin(last, norm, order) for norm in norms.NORMS},
        alignment=pd.concat(
            norms.alignment(last[last["descent"] == label], norm) for label, norm in own.items()
        ),
    )
    columns = [*norms.NORMS, "alignment", "slackness"]
    return last.groupby("descent", sort=False)[columns].median().T.to_dict()


def evaluations(of: Experiment, rows: pd.DataFrame) -> dict[str, list[float | None]]:
    """Fewest of each method until each target; None where no run of half of the seeds does."""
    needed = best.evaluations(rows).reset_index()
    table = needed.groupby(best.methods(of, needed), sort=False)[[*best.TARGETS]].min()
    return {
        label: [float(v) if np.isfinite(v) else None for v in row]
        for label, row in table.iterrows()
    }


def collected(results: Path) -> dict[str, Any]:
    config = reading.parse(reading.read_yaml(ROOT / "config/beyond.yaml"), "config/beyond.yaml")
    trajectories = tables.read(results / "metrics/trajectories.parquet")
    of = dict(list(trajectories.groupby("experiment")))
    found = tables.read(results / "claims.parquet")
    judged = found[found["verdict"] != "not applicable"]
    shares = judged[judged["claim"] == "constant-has-half-the-gain"]
    shares = shares[shares["note"].fillna("").str.startswith("to 0.01")]
    return {
        "flavors": flavors(config.experiments["flavors"], of["flavors"]),
        "evaluations": {n: evaluations(config.experiments[n], of[n]) for n in POLICIES},
        "shares": shares.set_index("experiment")[["measured", "verdict"]].T.to_dict(),
        "verdicts": {
            claim: rows["verdict"].value_counts().to_dict()
            for claim, rows in judged.groupby("claim")
        },
    }


if __name__ == "__main__":
    folder = Path(*sys.argv[1:]) if sys.argv[1:] else ROOT / "results/beyond"
    FILE.write_text(json.dumps(collected(folder), indent=1) + "\n")
