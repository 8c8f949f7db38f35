"""A finished run in Markdown: what the paper says beside what the run shows, figure by figure.

It stands beside `figures/` and links there, so both can be copied to wherever they are to be read.
"""

import re
from collections.abc import Callable, Sequence
from statistics import median_low

import pandas as pd

from largestep.common.durations import duration
from largestep.configuration.experiment import Experiment
from largestep.report import inline_svg, judgements, outcome, sensitivity
from largestep.report.contents import Contents
from largestep.report.numbers import number, share, steps
from largestep.report.page import axes, in_order, setting, template

_MOST_STEPSIZES = 9

#: Markdown's own characters; an underscore inside a word is none.
_SPECIAL = re.compile(r"[\\`*\[\]#|~$]|(?<!\w)_|_(?!\w)")
_MATH = re.compile(r"(\$(?! )[^$]*[^$ \\]\$(?!\d))")

#: Columns of a figure's table: heading, column of tables.RUNS, and how a value is written.
_QUANTITIES: tuple[tuple[str, str, Callable[[float | None], str]], ...] = (
    ("last increase", "last_increase_step", steps),
    ("$t_{sep}$", "separation_step", steps),
    ("$s$", "stable_phase_step", steps),
    ("final loss", "final_loss", number),
    ("normalized margin", "final_normalized_margin", number),
    ("test accuracy", "final_test_accuracy", share),
)


def markdown(contents: Contents) -> str:
    """The page, with a line for each claim, and for each experiment its table of stepsizes."""
    config, runs = contents.config, contents.runs
    every = {name: config.experiments[name] for name in in_order(config)}
    shown = {name: e for name, e in every.items() if not e.variant_of}
    return template("summary.md", autoescape=False).render(
        contents=contents,
        plain=plain,
        axes=axes,
        mapped=outcome.mapped,
        experiments=shown,
        comparisons=config.comparisons,
        settings={name: setting(experiment) for name, experiment in shown.items()},
        panels=dict(
            c for image in contents.figures.values() for c in inline_svg.captions(image.svg)
        ),
        tables={name: table(e, runs[runs["experiment"] == name]) for name, e in shown.items()},
        claims=contents.claims,
        found={name: judgements.judged(contents.claims, "runs", name) for name in shown},
        headline=judgements.headline(contents.claims),
        sensitivity=(rows := sensitivity.table(config, contents.claims)),
        choices=sensitivity.choices(rows),
        dependence=sensitivity.summary(rows),
        outcomes={
            name: outcome.sentences(e, runs[runs["experiment"] == name])
            for name, e in shown.items()
        },
        time=duration(contents.times["seconds"].sum()),
    )


def table(experiment: Experiment, runs: pd.DataFrame) -> list[list[str]]:
    """Heading and a row per stepsize, the largest first: the median over seeds and their range.

    A row per policy where policies choose the stepsizes. Of a long grid, stepsizes evenly chosen;
    quantities that no run has are left out. Nothing of several methods, whose numbers their figure
    writes.
    """
    if experiment.train.methods:
        return []
    if runs["stepsize"].isna().all():
        symbol, groups = "policy", list(runs.groupby("policy", sort=False))
        names = {policy: plain(policy) for policy, _ in groups}
    else:
        symbol = "η" if experiment.grid[0] == "eta" else "η̃"
        names = {step: number(value) for step, value in experiment.given.items()}
        groups = list(runs.groupby("stepsize"))[::-1]
    every = -(-len(groups) // _MOST_STEPSIZES)
    columns = [column for column in _QUANTITIES if runs[column[1]].notna().any()]
    rows = [[symbol, *(heading for heading, _, _ in columns)]]
    for step, group in groups[::every]:
        cells = [spread(group[name].tolist(), written) for _, name, written in columns]
        rows.append([names[step], *cells])
    return rows


def plain(text: str) -> str:
    """Markdown, on one line, that reads as `text`: only $mathematics$ in it stays TeX."""
    parts = _MATH.split(" ".join(text.split()))
    parts[::2] = (_SPECIAL.sub(r"\\\g<0>", part) for part in parts[::2])
    return "".join(parts).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def spread(values: Sequence[float | None], written: Callable[[float | None], str]) -> str:
    """Of some seeds: the median, (smallest to largest), and how many lack the quantity."""
    known = [value for value in values if not pd.isna(value)]
    if not known:
        return written(None)
    text = written(median_low(known))
    if min(known) != max(known):
        text += f" ({written(min(known))} to {written(max(known))})"
    lacking = len(values) - len(known)
    return text + (f", never in {lacking} of {len(values)}" if lacking else "")
