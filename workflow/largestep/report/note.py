"""A note of a few pages about a finished run, as PDF: what, how, results, what stays open.

The text reaches typst as data, never as markup, so nothing that a configuration says is executed;
formulas in it are written anew from a closed list of names (`typst_formulas`).
Only typst's own fonts are used and no date is written: equal contents, equal bytes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import typst

from largestep.configuration.config import Comparison, Config
from largestep.configuration.experiment import Experiment
from largestep.report import judgements, sensitivity
from largestep.report.mathematics import typst as parts
from largestep.report.numbers import number, share, steps
from largestep.report.page import axes, in_order, setting

TEMPLATE = Path(__file__).parent / "templates" / "note.typ"

#: Rows of a figure's table; of a longer grid, stepsizes evenly chosen.
_MOST_STEPSIZES = 7

#: Columns: heading, column of tables.RUNS, how a value is written.
_QUANTITIES = (
    ("last increase", "last_increase_step", steps),
    ("interpolation", "separation_step", steps),
    ("stable phase", "stable_phase_step", steps),
    ("final loss", "final_loss", number),
    ("normalized margin", "final_normalized_margin", number),
    ("test accuracy", "final_test_accuracy", share),
)


@dataclass(frozen=True, eq=False)
class Contents:
    """All that the note tells.

    figures: an SVG for each experiment that is no variant, comparison and atlas. runs: rows of
    tables.RUNS. claims: entries of claims.json. machine: names and values. sensitivity: the SVG of
    what verdicts depend on, None without variants.
    """

    config: Config
    figures: Mapping[str, bytes]
    runs: pd.DataFrame
    claims: Sequence[Mapping[str, Any]]
    machine: Mapping[str, Any]
    commit: str
    sensitivity: bytes | None = None


def pdf(contents: Contents) -> bytes:
    """The note; raises typst.TypstError where a figure is not an SVG that typst can read."""
    files = {f"figures/{name}.svg": svg for name, svg in contents.figures.items()}
    if contents.sensitivity:
        files["sensitivity.svg"] = contents.sensitivity
    return typst.compile(
        {"main.typ": TEMPLATE.read_bytes(), **files},
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(told(contents), allow_nan=False)},
    )


def told(contents: Contents) -> dict[str, Any]:
    """What the template is given: texts, numbers as texts, and the names of the figures' files.

    Running text comes in parts, plain ones and formulas (`mathematics.typst`).
    """
    config, runs = contents.config, contents.runs
    every = {name: config.experiments[name] for name in in_order(config)}
    own = {name: e for name, e in every.items() if not e.variant_of}
    figures = [
        _figure(name, e.figure) | {"setting": setting(e), "table": table(e, _of(runs, name))}
        for name, e in own.items()
    ]
    figures += [
        _figure(name, c) | {"setting": _compared(c), "table": []}
        for name, c in config.comparisons.items()
    ]
    figures += [
        _figure(name, a) | {"setting": axes(config, name), "table": [], "extension": True}
        for name, a in config.atlases.items()
    ]
    return {
        "name": config.name,
        "runs": steps(len(runs)),
        "experiments": len(own),
        "variants": len(config.experiments) - len(own),
        "figures": figures,
        "sensitivity": sensitivity.summary(sensitivity.table(config, contents.claims)),
        "claims": [_claim(entry) for entry in contents.claims],
        "headline": judgements.headline(contents.claims),
        "halted": _halted(runs),
        "machine": {key: str(value) for key, value in contents.machine.items()},
        "commit": contents.commit,
    }


def table(experiment: Experiment, runs: pd.DataFrame) -> list[list[str]]:
    """Heading and a row per stepsize, the largest first: the median across seeds, as text.

    Quantities that no run has are left out. Nothing of several methods, as in `markdown`.
    """
    if experiment.train.methods:
        return []
    groups = list(runs.groupby("stepsize"))[::-1]
    every = -(-len(groups) // _MOST_STEPSIZES) or 1
    columns = [column for column in _QUANTITIES if runs[column[1]].notna().any()]
    symbol = "eta" if experiment.grid[0] == "eta" else "eta_tilde"
    rows = [[symbol, *(heading for heading, _, _ in columns)]]
    for step, group in groups[::every]:
        cells = [_middle(group[name], written) for _, name, written in columns]
        rows.append([number(experiment.given[step]), *cells])
    return rows


def _middle(values: pd.Series, written: Callable[[float | None], str]) -> str:
    """The median, and of how many seeds where some lack the quantity."""
    known = values.notna().sum()
    some = f" ({known} of {len(values)})" if 0 < known < len(values) else ""
    return written(values.median()) + some


def _of(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    return runs[runs["experiment"] == name]


def _figure(name: str, words: Any) -> dict[str, Any]:
    """words: a figure's or a comparison's title and origins."""
    return {
        "file": f"figures/{name}.svg",
        "title": words.title or name,
        "paper": parts(words.paper),
        "ours": parts(words.ours),
        "stand_in": getattr(words, "stand_in", ""),
        "extension": False,
    }


def _compared(comparison: Comparison) -> list[str]:
    return [f"{label}: {name}" for name, label in comparison.experiments.items()]


def _claim(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A claim as the note tells it; `decided` and `applicable` where they differ."""
    decided, applicable = entry.get("decided"), entry.get("applicable")
    return {
        "id": entry["id"],
        "statement": parts(entry["statement"]),
        "verdict": entry["verdict"],
        "measured": number(entry["measured"]),
        "bound": number(entry["bound"]),
        "reason": parts(entry["reason"]),
        "decides": parts(entry.get("decides") or ""),
        "counts": f"{decided} of {applicable}" if decided != applicable else "",
        "variants": list(entry.get("violated_variants", ())),
    }


def _halted(runs: pd.DataFrame) -> list[str]:
    """Runs that diverged or froze, by experiment."""
    found = runs[runs["status"] != "ok"].groupby(["experiment", "status"], sort=False).size()
    totals = runs.groupby("experiment").size()
    return [f"{name}: {n} of {totals[name]} runs {status}" for (name, status), n in found.items()]
