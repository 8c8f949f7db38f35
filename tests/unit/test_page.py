import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import descend
import numpy as np
import pandas as pd
import pytest
import unpacked
from hypothesis import example, given
from hypothesis import strategies as st

from largestep.claims.ledger import FINDINGS
from largestep.common.durations import duration
from largestep.configuration import reading
from largestep.report import explorer, page, run_table
from largestep.report.contents import Contents, Image
from largestep.report.numbers import number, share, steps
from largestep.results import tables

SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:xlink="http://www.w3.org/1999/xlink">
<metadata><dc:coverage>panel-a 0 0 100 80
legend 100 0 50 40</dc:coverage><dc:description>(a) Training loss: It falls: like 1/t.
Shown: One seed.</dc:description></metadata>
<defs><path id="glyph" d="M0.123456 1"/></defs>
<g id="panel-a"><use xlink:href="#glyph" clip-path="url(#clip)"/></g>
<g id="legend"><path d="M1 1"/></g>
<defs><clipPath id="clip"><rect x="0.123456"/></clipPath></defs></svg>"""
MINUS = "\N{MINUS SIGN}"
CLAIM = {
    "id": "thm22-descent",
    "statement": "Every step lowers the loss.",
    "source": "paper, Theorem 2.2",
    "origin": "paper",
    "verdict": "holds",
    "quantity": "smallest ratio (L_t - L_{t+1}) / L_t",
    "measured": 0.95,
    "bound": 0.5,
    "slack": 0.45,
    "tolerance": "rounding",
    "reason": "",
    "decided": 5,
    "applicable": 6,
    "hypotheses": ["two layers"],
    "decides": None,
    "violated_variants": [],
    "runs": [{"experiment": "xor", "holds": 2, "inconclusive": 1}, {"experiment": "b", "holds": 3}],
    "variants": [],
    "figure": "xor",
}
FINDING = {
    "claim": "thm22-descent",
    "experiment": "xor",
    "seed": 0,
    "stepsize": 4.0,
    "eta": 1.0,
    "runs": 1,
    "step": 7,
    "verdict": "holds",
    "measured": 0.95,
    "bound": 0.5,
    "slack": 0.45,
    "note": "",
}


class Page(HTMLParser):
    """A page's text, links, sources and identifiers, and whether its tags are balanced."""

    VOID = frozenset({"meta", "img", "link", "br", "input"})

    def __init__(self, text: str):
        super().__init__()
        self.links, self.sources, self.ids, self.text, self.open = [], [], [], "", []
        self.tags = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append((tag, given))
        if tag == "a":
            self.links.append(given["href"])
        self.sources += [given["src"]] if "src" in given else []
        self.ids += [given["id"]] if "id" in given else []
        self.open += [] if tag in self.VOID else [tag]

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data


@pytest.fixture(autouse=True)
def no_bundle(monkeypatch):
    """Vega, which takes seconds to bundle, is of no interest here; the browser's tests have it."""
    monkeypatch.setattr(explorer, "scripts", lambda: "/* Vega */")
    monkeypatch.setattr(explorer, "chart", cache(explorer.chart))


def contents(experiments=None, claims=(), comparisons=None, **halted) -> Contents:
    """Of real runs of the experiments described."""
    experiments = experiments or {"xor": descend.XOR, "fig4": descend.FIVE_POINTS}
    described = {"name": "small", "experiments": experiments, "comparisons": comparisons or {}}
    config = reading.parse(described, "test")
    trained = [
        descend.trained(experiment.model_dump(exclude={"variant_of"}), name, **halted)
        for name, experiment in config.experiments.items()
    ]
    return Contents(
        config=config,
        figures={name: Image(SVG, b"png") for name in (*experiments, *config.comparisons)},
        trajectories=pd.concat([rows for _, rows, _, _ in trained]),
        runs=pd.concat([runs for _, _, runs, _ in trained]),
        facts={
            experiment.dataset.key: {"origin": "computed", "counts": {"train": {"+1": 2, "-1": 2}}}
            for experiment in config.experiments.values()
        },
        times=pd.DataFrame(
            [("train", 100.0, 300.0), ("train", 25.0, 400.0), ("figure", 3.0, np.nan)],
            columns=["stage", "seconds", "memory"],
        ),
        claims=claims,
        findings=pd.DataFrame([FINDING] if claims else [], columns=FINDINGS.names),
        machine={"processor": "a processor", "cores": 2},
        versions={"numpy": "2.0"},
        commit="0123abc-dirty",
        finished=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )


def test_page_stands_alone_and_its_links_lead_somewhere():
    found = Page(page.html(contents(claims=[CLAIM | {"runs": [CLAIM["runs"][0]]}])))
    assert all(source.startswith("data:image/") for source in found.sources)
    inside = [link[1:] for link in found.links if not link.startswith("#explore=")]
    assert set(inside) <= set(found.ids)
    assert all(link.startswith("#") for link in found.links)
    assert len(found.ids) == len(set(found.ids))
    text = " ".join(found.text.split())
    for words in ("2 experiments", "3 training runs", "2 January 2026, 03:04 UTC", "0123abc-dirty"):
        assert words in text
    for words in ("a processor", "numpy 2.0", "2 min 05 s", "1 min 40 s", "400 MiB", "width: 4"):
        assert words in text
    assert "train (+1 2, -1 2)" in text
    policy = next(a["content"] for tag, a in found.tags if a.get("http-equiv"))
    assert "default-src 'none'" in policy and "connect-src" not in policy


def test_the_papers_figures_come_by_number_and_others_as_configured():
    titles = {"b": "Theorem", "a": "Figures 2 d-f", "d": "Figure 10", "c": "Figure 2 a-c"}
    given = {name: descend.XOR | {"figure": {"title": title}} for name, title in titles.items()} | {
        "e": descend.XOR
    }
    config = reading.parse({"name": "x", "experiments": given}, "test")
    assert page.in_order(config) == ["c", "a", "d", "b", "e"]


def test_entries_of_the_contents_tell_figures_apart():
    long = ("Figures 2 d-f and 3: images", "Figures 2 d-f and 3: more", "Figure 2 d-f: few images")
    short = {"Figure 1: a network": "Figure 1", "Figure 2 a-c: XOR": "Figure 2 a-c"}
    plain = ("Figure 1 with one choice changed", "Figure 2 d-f with one choice changed", "loss")
    titles = [*long, *short, *plain, "Poster: a", "Poster: b", "Corollary 4.2: c"]
    found = page.entries(dict(zip(titles, titles, strict=True)))
    assert found == {title: title for title in titles} | short | {
        "Corollary 4.2: c": "Corollary 4.2"
    }
    file = Path(__file__).parents[2] / "config/paper.yaml"
    config = reading.parse(reading.read_yaml(file), "paper")
    names = [*config.experiments, *config.comparisons]
    told = page.entries({name: config.figure(name).title for name in names})
    assert len(set(told.values())) == len(told)


def test_what_the_paper_says_what_we_chose_and_stand_ins_are_told():
    figure = {"title": "Big", "paper": "it falls", "ours": "width", "stand_in": "toys for cars"}
    text = Page(page.html(contents({"xor": descend.XOR | {"figure": figure}}))).text
    for words in ("Paper it falls", "width", "Stand-in: toys for cars", "It falls: like", "Big"):
        assert words in text
    assert "1 figure uses stand-in data and says so" in " ".join(text.split())
    assert "Stand-in" not in Page(page.html(contents())).text


def test_each_figure_says_what_its_runs_show():
    text = " ".join(Page(page.html(contents({"xor": descend.XOR}))).text.split())
    found = re.search(r"After 300 steps the training loss is (\S+) with η=30 and (\S+) with", text)
    losses = contents({"xor": descend.XOR}).runs.set_index("eta")["final_loss"]
    assert found.groups() == (number(losses[30]), number(losses[1]))
    assert "The loss is non-monotone in 1 of 2 runs" in text


@pytest.mark.parametrize(
    "nasty",
    [
        '</p><script>alert("1")</script>',
        "<img src=x onerror=alert(1)>",
        "a_{<img onerror=x>} ||w||",
    ],
)
def test_text_from_outside_cannot_become_markup(nasty):
    figure = dict.fromkeys(("title", "paper", "ours", "stand_in"), nasty)
    words = dict.fromkeys(("statement", "quantity", "source", "tolerance", "reason"), nasty)
    given = contents({"xor": descend.XOR | {"figure": figure}}, [CLAIM | words])
    given = replace(given, findings=pd.DataFrame([FINDING | {"note": nasty}]))
    found = Page(page.html(given))
    assert not any("onerror" in attributes for _, attributes in found.tags)
    assert [tag for tag, _ in found.tags].count("script") == [
        tag for tag, _ in Page(page.html(contents({"xor": descend.XOR}, [CLAIM]))).tags
    ].count("script")
    assert "img" not in {tag for tag, _ in found.tags}


def test_diverged_and_frozen_runs_are_said_before_the_figures():
    seeds = {"train": {"eta": [1, 30], "seeds": [0, 1], "steps": 60}}
    halted = {"diverge": {(0, 120.0): 20, (1, 120.0): 30}, "freeze": {(1, 4.0): 40}}
    text = Page(page.html(contents({"xor": descend.XOR | seeds}, **halted))).text
    top = text[: text.index("What each panel shows")]
    assert "2 of 4 runs diverged" in top and "η̃ = 120" in top
    assert "1 of 4 runs froze" in top and "η̃ = 4" in top
    assert "diverged at 20" in text and "frozen at 40" in text
    plain = Page(page.html(contents())).text
    assert "diverged" not in plain and "froze" not in plain


def test_verdicts_and_what_is_open_are_on_the_first_screen():
    violated = CLAIM | {"id": "broken", "verdict": "violated", "figure": None, "measured": None}
    text = " ".join(Page(page.html(contents(claims=[CLAIM, violated]))).text.split())
    top = text[: text.index("Run it")]
    assert "1 of 2 claims hold" in top and "violated broken: Every step" in top
    assert "5 hold, 1 inconclusive" in text
    assert "claim" not in Page(page.html(contents())).text.lower()


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
    runs = [{"experiment": "xor", "holds": 1}]
    claim = CLAIM | {"runs": runs, "variants": judged, "violated_variants": ["small"]}
    found = Page(text := page.html(contents(experiments, [claim], {"both": both})))
    inside = {link[1:] for link in found.links if link[0] == "#" and link[:9] != "#explore="}
    assert inside <= set(found.ids)
    assert found.ids.index("figure-both") < found.ids.index("figure-small")
    # Their figures come packed; without scripts there is a link to each.
    files = [link for link in found.links if link[0] != "#"]
    assert files == ["figures/small.svg", "figures/wide.svg"]
    (plate,) = re.findall('data-plate="wide">(.*?)<', text)
    panels = unpacked.unpacked(plate)
    assert 'id="wide-panel-a"' in panels[0] and 'href="#wide-glyph"' in panels[0]
    assert 'id="wide-panel-a"' not in text and 'id="xor-panel-a"' in text
    text = " ".join(found.text.split())
    assert "3 hold, 1 violated; violated on small" in text and "model.scale: 0.1" in text
    assert "Sensitivity to choices" in text and "1 change it in one at least" in text
    assert "✗ 1 of 1" in text and "✓ 1 of 1" in text
    assert "Variants" not in Page(page.html(contents())).text


# Runs


def test_very_long_tables_end_in_a_count_of_the_rest():
    given = contents({"xor": descend.XOR | {"train": {"eta": [1], "seeds": [0], "steps": 3}}})
    many = pd.concat([given.runs] * 1000)
    assert run_table.left_out(many) == 800 and run_table.left_out(given.runs) == 0
    assert {len(column.cells) for column in run_table.columns(many, ["xor"])} == {200}


def test_columns_come_largest_stepsize_first_and_empty_ones_not_at_all():
    seeds = {"train": {"eta": [1, 30], "seeds": [3, 0], "steps": 60}}
    runs = descend.trained(descend.XOR | seeds)[2]
    found = {column.heading: column for column in run_table.columns(runs, ["here"])}
    assert found["η"].cells == ["30", "30", "1", "1"]
    assert found["η̃"].cells == ["120", "120", "4", "4"] and found["η̃"].keys == [120, 120, 4, 4]
    assert found["seed"].cells == ["0", "3", "0", "3"]
    assert "test" not in found and "policy" not in found
    assert set(found["status"].cells) == {"ok"}
    ordered = runs.sort_values(["stepsize", "seed"], ascending=[False, True])
    assert found["loss"].cells == [number(loss) for loss in ordered["final_loss"]]


# Figures


def test_a_figures_panels_stand_in_the_page_with_identifiers_of_their_own():
    text = page.html(contents({"xor": descend.XOR}))
    for part in ('id="xor-panel-a"', 'href="#xor-glyph"', "url(#xor-clip)", 'id="xor-clip"'):
        assert part in text
    assert 'd="m.12 1"' in text and 'x="0.123456"' in text, "only paths are rounded"
    assert 'viewBox="100 0 50 40"' in text


def test_a_heavy_figure_is_shown_as_png():
    heavy = SVG.replace(b"M1 1", b"M1 1" + b" L2 2" * 400_000)
    given = contents({"xor": descend.XOR})
    text = page.html(replace(given, figures={"xor": Image(heavy, b"png")}))
    assert 'src="data:image/png;base64,' in text


# Numbers


@given(st.floats(-1e300, 1e300))
@example(-0.00021219444)
def test_numbers_are_right_to_four_digits(value):
    digits, _, power = number(value).replace(",", "").replace(MINUS, "-").partition("·10")
    plain = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    read = float(f"{digits}e{power.translate(plain) or 0}")
    assert read == pytest.approx(value, rel=1e-3, abs=0)
    assert len(digits.lstrip("-")) <= 9


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
    assert number(value) == text


def test_what_is_missing_is_a_dash():
    dash = "\N{EN DASH}"
    assert {number(None), number(np.nan), steps(np.nan)} == {dash}
    assert share(np.nan) == dash


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
    tables.write(given.trajectories, tables.TRAJECTORIES, tmp_path / "trajectories.parquet")
    tables.write(given.runs.astype({"seed": int}), tables.RUNS, tmp_path / "runs.parquet")
    tables.write(pd.DataFrame([FINDING]), FINDINGS, tmp_path / "claims.parquet")
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
    words += ["--trajectories", tmp_path / "trajectories.parquet"]
    words += ["--findings", tmp_path / "claims.parquet"]
    words += ["--figures", *files, "--facts", *facts, "--claims", tmp_path / "claims.json"]
    words += ["--times", tmp_path / "benchmarks", tmp_path / "data", "--html", tmp_path / "a.html"]
    words += ["--markdown", tmp_path / "a.md"]
    command = [sys.executable, "-m", "largestep.stages.report", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    found = Page(text)
    for words in ("1 of 1 claim holds", "from xor", "412 MiB", "2.5 s", "matplotlib", "torch"):
        assert words in found.text
    # One job, of 2.5 s: another configuration's data set is not this one's.
    assert "dataset1 job2.5 s" in found.text
    assert "vegaEmbed" in text and len(text) < 1_500_000
    assert "1 of 1 claim holds" in (tmp_path / "a.md").read_text(encoding="utf-8")


def test_the_page_is_made_anew_when_any_template_changes():
    workflow = Path(page.__file__).parents[2]
    rule = (workflow / "rules" / "report.smk").read_text(encoding="utf-8")
    templates = (workflow / "largestep/report/templates").iterdir()
    names = {path.name for path in templates if path.suffix != ".typ"}  # the note's
    assert names == set(re.findall(r'"([\w.]+\.(?:html|css|js|md))"', rule))
