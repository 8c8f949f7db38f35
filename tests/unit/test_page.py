import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import descend
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from largestep.common.durations import duration
from largestep.configuration import reading
from largestep.report import page as report
from largestep.results import tables

SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/">
<metadata><dc:description>Loss: it falls: always.
Margin: it grows.</dc:description></metadata></svg>"""
MINUS = "\N{MINUS SIGN}"
CLAIM = {
    "id": "thm22-descent",
    "statement": "Every step lowers the loss.",
    "source": "paper, Theorem 2.2",
    "verdict": "holds",
    "quantity": "smallest ratio",
    "measured": 0.95,
    "bound": 0.5,
    "slack": 0.45,
    "tolerance": "rounding",
    "reason": "",
    "runs": [{"experiment": "xor", "holds": 2, "inconclusive": 1}, {"experiment": "b", "holds": 3}],
    "variants": [],
    "figure": "xor",
}


class Page(HTMLParser):
    """A page's text, links, sources and identifiers, and whether its tags are balanced."""

    VOID = frozenset({"meta", "img", "link", "br"})

    def __init__(self, text: str):
        super().__init__()
        self.links, self.sources, self.ids, self.text, self.open = [], [], [], "", []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.links += [given["href"]] if "href" in given else []
        self.sources += [given["src"]] if "src" in given else []
        self.ids += [given["id"]] if "id" in given else []
        self.open += [] if tag in self.VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def contents(experiments=None, claims=(), comparisons=None, **halted) -> report.Contents:
    """Of real runs of the experiments described."""
    experiments = experiments or {"xor": descend.XOR, "fig4": descend.FIVE_POINTS}
    described = {"name": "small", "experiments": experiments, "comparisons": comparisons or {}}
    config = reading.parse(described, "test")
    runs = [
        descend.trained(experiment.model_dump(exclude={"variant_of"}), name, **halted)[2]
        for name, experiment in config.experiments.items()
    ]
    return report.Contents(
        config=config,
        figures={name: report.Image(SVG, b"png") for name in (*experiments, *config.comparisons)},
        runs=pd.concat(runs),
        facts={
            experiment.dataset.key: {"origin": "computed", "counts": {"train": {"+1": 2, "-1": 2}}}
            for experiment in config.experiments.values()
        },
        times=pd.DataFrame(
            [("train", 100.0, 300.0), ("train", 25.0, 400.0), ("figure", 3.0, np.nan)],
            columns=["stage", "seconds", "memory"],
        ),
        claims=claims,
        machine={"processor": "a processor", "cores": 2},
        versions={"numpy": "2.0"},
        commit="0123abc-dirty",
        finished=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )


def test_page_stands_alone_and_its_links_lead_somewhere():
    page = Page(report.html(contents(claims=[CLAIM])))
    assert all(source.startswith("data:image/") for source in page.sources)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)
    assert len(page.ids) == len(set(page.ids))
    for words in ("2 experiments", "3 training runs", "2 January 2026, 03:04 UTC", "0123abc-dirty"):
        assert words in page.text
    for words in ("a processor", "numpy 2.0", "2 min 05 s", "1 min 40 s", "400 MiB", "width: 4"):
        assert words in page.text
    assert "train (+1 2, -1 2)" in page.text


def test_page_keeps_the_order_of_the_experiments():
    given = contents({"b": descend.XOR, "a": descend.XOR})
    ids = Page(report.html(given)).ids
    assert ids.index("figure-b") < ids.index("figure-a") and ids.index("runs-b") < ids.index(
        "runs-a"
    )


def test_what_the_paper_says_what_we_chose_and_stand_ins_are_told():
    figure = {"title": "Big", "paper": "it falls", "ours": "width", "stand_in": "toys for cars"}
    page = Page(report.html(contents({"xor": descend.XOR | {"figure": figure}})))
    for words in ("P it falls", "C width", "Stand-in: toys for cars", "it falls: always.", "Big"):
        assert words in page.text
    assert "Stand-in" not in Page(report.html(contents())).text


def test_text_from_outside_cannot_become_markup():
    nasty = '</p><script>alert("1")</script>'
    figure = dict.fromkeys(("title", "paper", "ours", "stand_in"), nasty)
    text = report.html(
        contents({"xor": descend.XOR | {"figure": figure}}, [CLAIM | {"statement": nasty}])
    )
    assert "<script" not in text and Page(text).text.count(nasty) >= 4


def test_diverged_and_frozen_runs_are_said_before_the_figures():
    seeds = {"train": {"eta": [1, 30], "seeds": [0, 1], "steps": 60}}
    halted = {"diverge": {(0, 120.0): 20, (1, 120.0): 30}, "freeze": {(1, 4.0): 40}}
    page = Page(report.html(contents({"xor": descend.XOR | seeds}, **halted)))
    top = page.text[
        : page.text.index("Scaled") if "Scaled" in page.text else page.text.index("XOR ·")
    ]
    assert "2 of 4 runs diverged" in top and "η̃ = 120" in top
    assert "1 of 4 runs froze" in top and "η̃ = 4" in top
    assert "diverged at 20" in page.text and "frozen at 40" in page.text
    plain = Page(report.html(contents())).text
    assert "diverged" not in plain and "froze" not in plain


def test_claims_are_a_table_and_violated_ones_are_said_at_the_top():
    violated = CLAIM | {"id": "broken", "verdict": "violated", "figure": None, "measured": None}
    page = Page(report.html(contents(claims=[CLAIM, violated])))
    assert "2 claims" in page.text and "holds 1, violated 1" in page.text
    assert page.text.index("broken") < page.text.index("Figures\n")
    assert "holds 5, inconclusive 1" in page.text
    assert "claim" not in Page(report.html(contents())).text.lower()


def test_variants_are_judged_apart_and_say_what_differs():
    experiments = {
        "xor": descend.XOR,
        "small": {"variant_of": "xor", "model": {"scale": 0.1}},
        "wide": {"variant_of": "xor", "model": {"width": 6}, "figure": {"title": "Wide"}},
    }
    judged = [
        {"experiment": "small", "holds": 1, "violated": 1},
        {"experiment": "wide", "holds": 2},
    ]
    both = {"experiments": {"xor": "as it is", "small": "small"}, "title": "Side by side"}
    given = contents(experiments, [CLAIM | {"variants": judged}], {"both": both})
    page = Page(report.html(given))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.sources) == 4
    assert page.ids.index("figure-both") < page.ids.index("figure-small")
    assert "On variants: holds 3, violated 1" in page.text
    table = report.variants(given.config, given.claims)
    assert table["small"]["differs"] == ["model.scale: 0.1"]
    assert table["small"]["claims"]["violated"] == [CLAIM["id"]]
    assert table["wide"]["claims"]["holds"] == [CLAIM["id"]]
    assert "Variants" not in Page(report.html(contents())).text


def test_long_tables_are_closed_and_short_ones_open():
    many = {"train": {"eta": list(range(1, 13)), "seeds": [0], "steps": 3}}
    text = report.html(contents({"many": descend.XOR | many, "few": descend.XOR}))
    assert '<details id="runs-many">' in text and '<details id="runs-few" open>' in text


def test_very_long_tables_end_in_a_count_of_the_rest():
    runs = descend.trained(descend.XOR | {"train": {"eta": [1], "seeds": [0], "steps": 3}})[2]
    many = pd.concat([runs.assign(experiment="xor")] * 1000)
    page = Page(report.html(replace(contents({"xor": descend.XOR}), runs=many)))
    assert "1,000 runs" in page.text and "800 more" in page.text
    assert {len(column.cells) for column in report.columns(many)} == {200}


def test_columns_come_largest_stepsize_first_and_empty_ones_not_at_all():
    seeds = {"train": {"eta": [1, 30], "seeds": [3, 0], "steps": 60}}
    runs = descend.trained(descend.XOR | seeds)[2]
    found = {column.heading: column.cells for column in report.columns(runs)}
    assert found["η"] == ["30", "30", "1", "1"] and found["η̃"] == ["120", "120", "4", "4"]
    assert found["seed"] == ["0", "3", "0", "3"]
    assert "test" not in found and set(found["status"]) == {"ok"}
    ordered = runs.sort_values(["stepsize", "seed"], ascending=[False, True])
    assert found["loss"] == [report.number(loss) for loss in ordered["final_loss"]]


def test_a_heavy_figure_is_shown_as_png():
    light, heavy = report.Image(SVG, b"png"), report.Image(SVG + b" " * 10**6, b"png")
    assert light.uri.startswith("data:image/svg+xml;base64,")
    assert heavy.uri.startswith("data:image/png;base64,")
    assert (
        light.captions == heavy.captions == [("Loss", "it falls: always."), ("Margin", "it grows.")]
    )
    assert report.Image(b"<svg/>", b"").captions == []


# Numbers


@given(st.floats(-1e300, 1e300))
def test_numbers_are_right_to_four_digits(value):
    digits, _, power = report.number(value).replace(",", "").replace(MINUS, "-").partition("·10")
    plain = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    read = float(f"{digits}e{power.translate(plain) or 0}")
    assert read == pytest.approx(value, rel=1e-3, abs=0)
    assert len(digits) <= 9


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.032713, "0.03271"),
        (3.2713e-5, "3.271·10⁻⁵"),
        (16000, "16,000"),
        (-0.5, f"{MINUS}0.5"),
        (0, "0"),
    ],
)
def test_numbers_read_well(value, text):
    assert report.number(value) == text


def test_what_is_missing_is_a_dash():
    dash = "\N{EN DASH}"
    assert {report.number(None), report.number(np.nan), report.steps(np.nan)} == {dash}
    assert report.share(np.nan) == dash


@given(st.floats(0, 1e6))
def test_durations_are_right_to_the_unit_shown(seconds):
    text = duration(seconds)
    units = {"s": 1, "min": 60, "h": 3600}
    words = text.split()
    read = sum(float(n) * units[unit] for n, unit in zip(words[::2], words[1::2], strict=True))
    assert read == pytest.approx(seconds, abs=0.06 if seconds < 10 else 1 if seconds < 3590 else 61)


# The stage


def test_stage_gathers_the_files_of_a_run(tmp_path):
    given = contents()
    tables.write(given.runs.astype({"seed": int}), tables.RUNS, tmp_path / "runs.parquet")
    (tmp_path / "claims.json").write_text(json.dumps([CLAIM]))
    files = {}
    for name in given.config.experiments:
        files[tmp_path / f"{name}.svg"], files[tmp_path / f"{name}.png"] = SVG, b"png"
    for path, content in files.items():
        path.write_bytes(content)
    facts = [tmp_path / f"{key}.json" for key in given.facts]
    for path in facts:
        path.write_text(json.dumps({"origin": "from " + path.stem}))
    jobs = {
        "benchmarks/train/xor/seed=0.tsv": "12.5\t0:00:12\t412.3",
        "benchmarks/figure/xor.tsv": "0.5\t0:00:00\t-",
        "data/dataset/xor.tsv": "2.5\t0:00:02\t100",
        "data/dataset/foreign.tsv": "999\t0:16:39\t100",
    }
    for name, row in jobs.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"s\th:m:s\tmax_rss\n{row}\n")
    words = ["--config", reading.to_json(given.config), "--runs", tmp_path / "runs.parquet"]
    words += ["--figures", *files, "--facts", *facts, "--claims", tmp_path / "claims.json"]
    words += ["--times", tmp_path / "benchmarks", tmp_path / "data", "--html", tmp_path / "a.html"]
    words += ["--markdown", tmp_path / "a.md"]
    command = [sys.executable, "-m", "largestep.stages.report", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = Page((tmp_path / "a.html").read_text(encoding="utf-8"))
    for text in ("1 claim ", "from xor", "412 MiB", "2.5 s", "matplotlib", "torch"):
        assert text in page.text
    # One job, of 2.5 s: another configuration's data set is not this one's.
    assert "dataset12.5 s" in page.text
    assert "1 claim" in (tmp_path / "a.md").read_text(encoding="utf-8")
