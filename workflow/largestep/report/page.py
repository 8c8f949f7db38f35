"""One self-contained page about a finished run: frames and dicts in, HTML out."""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from largestep.claims.verdicts import PRECEDENCE, Verdict
from largestep.common.durations import duration
from largestep.configuration.config import Config
from largestep.configuration.experiment import Experiment
from largestep.configuration.variants import differences

_LARGEST_SVG = 300_000  # bytes; a larger one is shown as PNG, to keep the page light
_MOST_ROWS, _MOST_ROWS_OPEN = 200, 10
_MOST_FACTS_OPEN = 3
_MOST_NAMED = 6


@dataclass(frozen=True)
class Image:
    """A figure's files, and what they say about themselves: lines of "panel: what to see"."""

    svg: bytes
    png: bytes

    @property
    def captions(self) -> list[tuple[str, str]]:
        """Panel and what to see in it, from the description inside the SVG."""
        found = ElementTree.fromstring(self.svg).find(
            ".//{http://purl.org/dc/elements/1.1/}description"
        )
        lines = (found.text or "").splitlines() if found is not None else []
        return [(panel, text.strip()) for panel, _, text in (line.partition(":") for line in lines)]

    @property
    def uri(self) -> str:
        small = len(self.svg) <= _LARGEST_SVG
        media, content = ("svg+xml", self.svg) if small else ("png", self.png)
        return f"data:image/{media};base64,{base64.b64encode(content).decode()}"


@dataclass(frozen=True, eq=False)
class Contents:
    """All that the page tells.

    figures: per experiment. runs: rows of tables.RUNS, which also give the order of the
    experiments. facts: per data set, by its key. times: one row per job, with columns stage,
    seconds and memory (MiB). claims: entries of claims.json. machine, versions: names and values.
    """

    config: Config
    figures: Mapping[str, Image]
    runs: pd.DataFrame
    facts: Mapping[str, dict]
    times: pd.DataFrame
    claims: Sequence[Mapping[str, Any]]
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    commit: str
    finished: datetime


class Column(NamedTuple):
    """Of a table of runs: its heading, what it means, and its cells as text."""

    heading: str
    meaning: str
    cells: list[str]


def html(contents: Contents) -> str:
    """The page; it asks for nothing from outside and opens from disk."""
    experiments = contents.config.experiments
    runs = {name: contents.runs[contents.runs["experiment"] == name] for name in experiments}
    return template("report.html", autoescape=True).render(
        contents=contents,
        experiments=experiments,
        variants=variants(contents.config, contents.claims),
        runs=runs,
        tables={name: columns(rows) for name, rows in runs.items()},
        settings={name: setting(experiment) for name, experiment in experiments.items()},
        most_rows_open=_MOST_ROWS_OPEN,
        most_facts_open=_MOST_FACTS_OPEN,
        verdicts=tally({claim["verdict"]: 1} for claim in contents.claims),
        violated=[claim for claim in contents.claims if claim["verdict"] == Verdict.VIOLATED],
        warnings=warnings(contents.runs),
        stages=stages(contents.times),
        configuration=yaml.safe_dump(
            contents.config.model_dump(mode="json"), sort_keys=False, default_flow_style=None
        ),
    )


def template(name: str, autoescape: bool) -> Template:
    """One of the package's templates, with the filters that turn values into text."""
    environment = Environment(
        loader=PackageLoader("largestep.report"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "steps": steps, "words": words, "tally": tally}
    return environment.get_template(name)


def setting(experiment: Experiment) -> list[str]:
    """Data, network and training in words."""
    train, network = experiment.train, experiment.model
    return [
        experiment.dataset.label,
        network.label,
        network.activation.label,
        f"{steps(train.steps)} steps",
        f"{len(train.seeds)} seed" + "s" * (len(train.seeds) > 1),
        train.dtype,
    ]


def variants(config: Config, claims: Sequence[Mapping[str, Any]]) -> dict[str, dict]:
    """For each variant: what differs from its base, and the claims by what they found on it."""
    found = {}
    for name, experiment in config.experiments.items():
        if experiment.variant_of is None:
            continue
        differs = differences(config.experiments[experiment.variant_of], experiment)
        found[name] = {"differs": differs, "claims": judged(claims, "variants", name)}
    return found


def judged(claims: Sequence[Mapping[str, Any]], part: str, name: str) -> dict[str, list[str]]:
    """Claims by the first verdict, in order of precedence, that an experiment's runs gave them.

    part: of a claim's entry that tells of this experiment, "runs" or "variants".
    """
    found: dict[str, list[str]] = {verdict: [] for verdict in PRECEDENCE}
    for claim in claims:
        counts = next((c for c in claim[part] if c["experiment"] == name), {})
        verdict = next((v for v in PRECEDENCE if counts.get(v)), None)
        if verdict:
            found[verdict].append(claim["id"])
    return found


def columns(runs: pd.DataFrame) -> list[Column]:
    """The table of one experiment's runs, largest stepsize first, without empty columns.

    No more than _MOST_ROWS of them: all are in runs.parquet, and a page must stay light.
    """
    rows = runs.sort_values(["stepsize", "seed"], ascending=[False, True]).head(_MOST_ROWS)
    table = [
        ("η", "stepsize; the step taken is η̃ = m η", rows["eta"].map(number)),
        ("η̃", "step taken", rows["stepsize"].map(number)),
        ("seed", "of the initial weights", rows["seed"].map(str)),
        ("status", "and the step from which it holds", rows.apply(_status, axis=1)),
        ("loss", "at the last step", rows["final_loss"].map(number)),
        ("normalized margin", "at the last step", rows["final_normalized_margin"].map(number)),
        ("last rise", "last step at which the loss rose", rows["last_increase_step"].map(steps)),
        ("separation", "first step with all samples right", rows["separation_step"].map(steps)),
        (
            "stable phase",
            "first step under Theorem 2.2's threshold",
            rows["stable_phase_step"].map(steps),
        ),
        ("train", "accuracy at the last step", rows["final_train_accuracy"].map(share)),
        ("test", "accuracy at the last step", rows["final_test_accuracy"].map(share)),
    ]
    return [
        Column(heading, meaning, list(cells))
        for heading, meaning, cells in table
        if any(cell != _NOTHING for cell in cells)
    ]


def warnings(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """Experiment and text for runs that diverged or froze, which reach no further conclusion."""
    meanings = {
        "diverged": "diverged: a weight or the loss stopped being a finite number",
        "frozen": "froze: updates fell below the rounding of the weights, which then stood still",
    }
    found = []
    for (name, status), rows in runs[runs["status"] != "ok"].groupby(
        ["experiment", "status"], sort=False
    ):
        total = (runs["experiment"] == name).sum()
        steps_taken = [number(step) for step in sorted(rows["stepsize"].unique())]
        found.append(
            (name, f"{len(rows)} of {total} runs {meanings[status]} (η̃ = {some(steps_taken)})")
        )
    return found


def stages(times: pd.DataFrame) -> list[dict]:
    """Per stage: jobs, their time in all, the longest, and the greatest memory."""
    return [
        {
            "stage": stage,
            "jobs": len(jobs),
            "total": duration(jobs["seconds"].sum()),
            "longest": duration(jobs["seconds"].max()),
            "memory": _NOTHING
            if jobs["memory"].isna().all()
            else f"{jobs['memory'].max():.0f} MiB",
        }
        for stage, jobs in times.groupby("stage", sort=False)
    ]


# How values become text

_NOTHING = "\N{EN DASH}"


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None) -> str:
    """Four digits that count: 0.03271, 3.271·10⁻⁵, 16,000."""
    if _is_missing(value):
        return _NOTHING
    plain = 1000 <= abs(value) < 1e6
    digits, _, exponent = (f"{value:,.0f}" if plain else f"{value:.4g}").partition("e")
    power = f"·10{str(int(exponent)).translate(_SUPERSCRIPTS)}" if exponent else ""
    return digits.replace("-", "\N{MINUS SIGN}") + power


def steps(value: float | None) -> str:
    """A count: 10,000."""
    return _NOTHING if _is_missing(value) else f"{int(value):,}"


def share(value: float | None) -> str:
    """A part of one, as percentage."""
    return _NOTHING if _is_missing(value) else f"{value:.1%}"


def some(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def tally(runs: Iterable[Mapping[str, Any]]) -> str:
    """What a claim's checks found, over all experiments: holds 12, inconclusive 3."""
    counts = dict.fromkeys(Verdict, 0)
    for found in runs:
        counts = {verdict: count + found.get(verdict, 0) for verdict, count in counts.items()}
    return ", ".join(f"{verdict} {count}" for verdict, count in counts.items() if count) or _NOTHING


def words(value: Any) -> str:
    """A value of a data set's facts on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_within(part)}" for key, part in value.items()) or "none"
    if isinstance(value, list | tuple):
        return some([_within(part) for part in value]) or "none"
    return number(value) if isinstance(value, float) else str(value)


def _within(value: Any) -> str:
    return f"({words(value)})" if isinstance(value, Mapping | list | tuple) else words(value)


def _status(run: pd.Series) -> str:
    return (
        run["status"]
        if run["status"] == "ok"
        else f"{run['status']} at {steps(run['status_step'])}"
    )


def _is_missing(value: float | None) -> bool:
    return value is None or math.isnan(value)
