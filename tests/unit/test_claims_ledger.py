"""From findings to the ledger, and the two stages that write and read it."""

import json
import os
import re
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from constructed import experiment, frames
from hypothesis import given
from hypothesis import strategies as st

from largestep.claims.claim import Claim, claim, hypothesis
from largestep.claims.ledger import FINDINGS, entry, table
from largestep.claims.registered import CLAIMS, claims_of
from largestep.claims.verdicts import Finding, Verdict, at_least, at_most, not_applicable, undecided
from largestep.configuration import reading
from largestep.configuration.config import Config
from largestep.results import tables
from largestep.stages import claims

CONFIG = Config(
    name="constructed",
    experiments={
        "xor": experiment("xor", [5.0], figure__panels=["loss", "scaled_loss"]),
        "margin": experiment("margin", [64.0], figure__panels=["normalized_margin"]),
    },
)

CLAIM = Claim(
    id="x",
    statement="statement",
    origin="paper",
    source="source",
    quantity="quantity",
    tolerance="none",
    panels=("scaled_loss",),
    judge=lambda study: [],
)
OPEN = undecided("why", "more steps")


def verdict_of(*findings: Finding) -> str:
    return entry(CLAIM, [("xor", finding) for finding in findings], CONFIG)["verdict"]


def test_one_violation_outweighs_everything():
    holds, violated = at_most(0, 1), at_most(2, 1)
    assert verdict_of(holds, OPEN, violated, not_applicable("why")) == "violated"
    assert verdict_of(holds, OPEN, not_applicable("why")) == "holds where decided"
    assert verdict_of(holds, not_applicable("why")) == "holds"
    assert verdict_of(OPEN, not_applicable("why")) == "inconclusive"
    assert verdict_of(not_applicable("why")) == "not applicable"
    assert verdict_of() == "not applicable"


@given(st.lists(st.sampled_from([at_most(0, 1), at_most(2, 1), OPEN, not_applicable("why")])))
def test_an_entry_counts_what_was_decided(findings):
    line = entry(CLAIM, [("xor", finding) for finding in findings], CONFIG)
    found = [finding.verdict for finding in findings]
    assert line["applicable"] == len(found) - found.count(Verdict.NOT_APPLICABLE)
    assert line["decided"] == line["applicable"] - found.count(Verdict.INCONCLUSIVE)
    if line["verdict"] == "holds":
        assert line["decided"] == line["applicable"] > 0
    if line["verdict"] == "holds where decided":
        assert 0 < line["decided"] < line["applicable"]
    assert (line["decides"] is None) == (line["decided"] == line["applicable"])


def test_an_entry_names_origin_and_hypotheses():
    needed = hypothesis("separable data")(lambda study: None)
    line = entry(replace(CLAIM, needs=(needed,)), [], CONFIG)
    assert line["origin"] == "paper"
    assert line["hypotheses"] == ["separable data"]


def test_what_would_decide_is_what_most_of_the_open_findings_say():
    found = [("xor", undecided("a", steps)) for steps in ("9 steps", "7 steps", "7 steps")]
    assert entry(CLAIM, found, CONFIG)["decides"] == "7 steps"


def test_a_number_that_is_not_one_violates():
    assert at_most(float("nan"), 1).verdict is Verdict.VIOLATED
    assert at_least(float("nan"), 1).verdict is Verdict.VIOLATED


def test_an_entry_shows_the_finding_with_least_room():
    found = [
        ("margin", at_most(1, 10, seed=1, stepsize=5.0)),
        ("xor", at_most(9.5, 10, seed=2, stepsize=7.0, step=3)),
        ("xor", undecided("not yet", "more steps")),
    ]
    line = entry(CLAIM, found, CONFIG)
    assert (line["measured"], line["bound"], line["slack"]) == (9.5, 10, 0.5)
    assert line["worst"] == {"experiment": "xor", "seed": 2, "stepsize": 7.0, "step": 3}
    assert line["runs"] == [
        {"experiment": "margin", "holds": 1},
        {"experiment": "xor", "holds": 1, "inconclusive": 1},
    ]
    assert line["reason"] == "1 inconclusive, such as: not yet; would decide: more steps"


def test_a_finding_without_room_is_shown_last_and_one_that_is_no_number_first():
    bare = Finding(Verdict.HOLDS, note="no number")
    line = entry(CLAIM, [("margin", bare), ("xor", at_most(1, 10)), ("margin", bare)], CONFIG)
    assert (line["measured"], line["worst"]["experiment"]) == (1, "xor")
    nan = at_most(float("nan"), 10, step=7)
    line = entry(CLAIM, [("xor", at_most(50, 10)), ("margin", nan)], CONFIG)
    assert line["worst"] == {"experiment": "margin", "seed": None, "stepsize": None, "step": 7}


def test_violations_are_counted_among_what_is_applicable():
    found = [at_most(2, 1), at_most(0, 1), OPEN, not_applicable("why")]
    line = entry(CLAIM, [("xor", finding) for finding in found], CONFIG)
    assert line["reason"] == "1 of 3"


def test_an_entry_says_why_a_claim_does_not_apply():
    found = [("xor", not_applicable("not separable")), ("margin", not_applicable("not separable"))]
    line = entry(CLAIM, found, CONFIG)
    assert line["reason"] == "not separable (xor, margin)"
    assert line["measured"] is line["bound"] is line["slack"] is None
    assert "no run" in entry(CLAIM, [], CONFIG)["reason"]


def test_the_figure_is_the_one_with_the_panel_that_shows_the_claim():
    found = [("margin", at_most(9, 10)), ("xor", at_most(1, 10))]
    assert entry(CLAIM, found, CONFIG)["figure"] == "xor"
    elsewhere = replace(CLAIM, panels=("theory_norm",))
    assert entry(elsewhere, found, CONFIG)["figure"] == "margin"
    assert entry(CLAIM, [], CONFIG)["figure"] is None


def test_a_variant_has_no_say_in_the_verdict():
    small = CONFIG.experiments["xor"].model_copy(update={"variant_of": "xor"})
    both = {**CONFIG.experiments, "small": small, "wide": small}
    config = CONFIG.model_copy(update={"experiments": both})
    found = [("xor", at_most(1, 2)), ("small", at_most(3, 2)), ("small", at_most(0, 2))]
    found.append(("wide", at_most(0, 2)))
    line = entry(CLAIM, found, config)
    assert line["verdict"] == "holds" and line["measured"] == 1
    assert line["runs"] == [{"experiment": "xor", "holds": 1}]
    assert line["variants"] == [
        {"experiment": "small", "violated": 1, "holds": 1},
        {"experiment": "wide", "holds": 1},
    ]
    assert line["violated_variants"] == ["small"]
    assert line["decided"] == line["applicable"] == 1
    assert entry(CLAIM, found[1:], config)["verdict"] == "not applicable"


def test_findings_become_rows_with_eta():
    found = {"x": [("xor", at_most(1 / 3, 1, seed=0, stepsize=50.0)), (None, at_most(0, 1))]}
    rows = table(found, CONFIG)
    assert list(rows.columns) == FINDINGS.names
    assert rows["eta"][0] == 5.0
    assert rows["measured"][0] == 0.333333333
    assert pd.isna(rows["experiment"][1])
    assert pd.isna(rows["seed"][1])


def test_claims_have_distinct_names_and_known_sources():
    names = [claim.id for claim in CLAIMS]
    assert len(set(names)) == len(names) > 20
    origins = {
        "paper": ("paper",),
        "derived": ("derived", "edge of stability", "paper"),
        "extension": ("ours", "edge of stability", "Tsilivis"),
    }
    assert all(claim.source.startswith(origins[claim.origin]) for claim in CLAIMS)
    assert all(claim.statement.endswith(".") for claim in CLAIMS)


def test_the_documentation_explains_every_claim():
    page = (Path(__file__).parents[2] / "docs/claims.md").read_text()
    lacking = [claim.id for claim in CLAIMS if f"`{claim.id}`" not in page]
    assert not lacking, f"docs/claims.md: write a paragraph on {', '.join(lacking)}"
    numbered = re.findall(r"^\d+\. \*\*`(.+?)`\*\* \((\w+)", page, re.MULTILINE)
    assert numbered == [(claim.id, claim.origin) for claim in CLAIMS], "in the ledger's order"


def test_a_module_s_claims_are_found_in_its_order():
    module = type(sys)("theme")
    words = {"statement": "", "origin": "paper", "source": "", "quantity": ""}
    words |= {"tolerance": "", "panels": ()}
    module.first = claim(id="b", **words)(lambda study: [])
    module.helper = len
    module.second = claim(id="a", **words)(lambda study: [])
    assert [claim.id for claim in claims_of(module)] == ["b", "a"]


# The stages


def write_results(folder: Path, change=None) -> list:
    """Result tables and data of CONFIG, and the claims stage's options for them."""
    parts = []
    for name, each in CONFIG.experiments.items():
        found = frames(each, change)
        parts.append([frame.assign(experiment=name) for frame in found])
        data = folder / f"{each.dataset.key}.safetensors"
        data.write_bytes(each.dataset.load(folder).to_bytes())
    schemas = {"trajectories": tables.TRAJECTORIES, "runs": tables.RUNS}
    options = ["--config", reading.to_json(CONFIG)]
    for (name, schema), found in zip(schemas.items(), zip(*parts, strict=True), strict=True):
        frame = pd.concat(found).reindex(columns=schema.names)
        tables.write(frame, schema, folder / f"{name}.parquet")
        options += [f"--{name}", folder / f"{name}.parquet"]
    tables.concat([tables.NEURONS.empty_table()], tables.NEURONS, folder / "neurons.parquet")
    options += ["--neurons", folder / "neurons.parquet"]
    return [*options, "--data", *sorted(folder.glob("*.safetensors"))]


def stage(name: str, *options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", f"largestep.stages.{name}", *options]
    return subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Two runs of the claims stage on the same results."""
    folder = tmp_path_factory.mktemp("judged")
    options = write_results(folder)
    for k in (1, 2):
        outputs = ["--json", folder / f"{k}.json", "--parquet", folder / f"{k}.parquet"]
        done = stage("claims", *options, *outputs)
        assert done.returncode == 0, done.stderr
    return folder


def test_the_stage_writes_every_claim_the_same_way_twice(judged):
    for suffix in ("json", "parquet"):
        first, second = ((judged / f"{k}.{suffix}").read_bytes() for k in (1, 2))
        assert first == second
    entries = json.loads((judged / "1.json").read_text())
    assert [line["id"] for line in entries] == [claim.id for claim in CLAIMS]
    keys = {"id", "statement", "source", "verdict", "measured", "bound", "slack", "runs", "figure"}
    keys |= {"origin", "hypotheses", "decided", "applicable", "decides", "violated_variants"}
    assert all(keys <= line.keys() for line in entries)
    verdicts = {line["id"]: line["verdict"] for line in entries}
    assert "violated" not in verdicts.values()
    assert verdicts["thm22-descent"] == verdicts["thm32-mean-loss"] == "holds"
    rows = tables.read(judged / "1.parquet", claim="thm32-mean-loss")
    assert dict(zip(rows["experiment"], rows["verdict"], strict=True)) == {
        "xor": "not applicable",
        "margin": "holds",
    }
    assert pa.Schema.equals(tables.load(judged / "1.parquet").schema, FINDINGS)


def test_verdicts_are_printed_and_a_violation_fails(judged, tmp_path):
    done = stage("verdicts", "--json", judged / "1.json")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^holds +thm22-descent +2 of 2 +0.99, bound 0.5$", done.stdout, re.M)
    assert re.search(r"^paper +\d+ claims: \d+ holds", done.stdout, re.M)
    assert done.stdout.endswith("variants   0 claims are violated by a variant\n")
    entries = json.loads((judged / "1.json").read_text())
    entries[0] |= {"verdict": "violated", "violated_variants": ["wide", "small"]}
    (tmp_path / "claims.json").write_text(json.dumps(entries))
    done = stage("verdicts", "--json", tmp_path / "claims.json")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert entries[0]["id"] in done.stderr
    assert "violated by variants: wide, small" in done.stdout


def test_a_violating_run_is_violated_in_the_end_and_judging_still_succeeds(tmp_path):
    def change(facts, columns):
        facts["largest_loss_rise"] = 0.1

    write_results(tmp_path, change)
    results = {name: tmp_path / f"{name}.parquet" for name in ("trajectories", "runs", "neurons")}
    outputs = {"json": tmp_path / "claims.json", "parquet": tmp_path / "claims.parquet"}
    data = sorted(tmp_path.glob("*.safetensors"))
    claims.run(Namespace(config=reading.to_json(CONFIG), data=data, **results, **outputs))
    entries = {line["id"]: line for line in json.loads(outputs["json"].read_text())}
    assert entries["thm22-loss-falls"]["verdict"] == "violated"
    assert entries["thm22-loss-falls"]["measured"] == 0.1
