"""Any text of a configuration is a text: it is shown as it is, and neither run nor expanded."""

import json
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from docutils.core import publish_parts
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from project import HOSTILE
from snakemake.utils import format as expand

from largestep.configuration.config import Config
from largestep.graph.dag import _literal
from largestep.report import markdown


@pytest.mark.slow
def test_hostile_text_everywhere_goes_through_a_run(project):
    """Captions, labels, and names of folders, classes and files, through every rule."""
    root, classes = "r {x} $(touch sprung) 'q\" <b> %s", ("{a} b;touch sprung", "--it's $HOME")
    rng = np.random.default_rng(0)
    for split, label in [(s, c) for s in ("train", "test") for c in classes]:
        folder = project.root / "@d {y} `touch sprung`" / root / split / label
        folder.mkdir(parents=True)
        for k in range(3):
            Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8)).save(folder / f"{k}.png")
    weights = "w {z} $(touch sprung) 'n.npy"
    np.save(project.root / weights, rng.standard_normal((2, 48)))
    model = project.content["experiments"]["xor"]["model"] | {"width": 2}
    words = {"title": HOSTILE, "paper": HOSTILE, "ours": HOSTILE, "stand_in": HOSTILE}
    experiment = {
        "dataset": {"source": "image_folder", "root": root, "classes": list(classes)},
        "model": model | {"initial_weights": weights},
        "train": {"eta": [1, 2], "seeds": [0], "steps": 20, "record": {"snapshots": 1}},
        "figure": words | {"panels": ["loss"]},
    }
    project.content |= {
        "data_root": "@d {y} `touch sprung`",
        "experiments": {"one": experiment, "two": experiment | {"sharpness": {}, "flow": {}}},
        "comparisons": {
            "both": words | {"panels": ["loss"], "experiments": {"one": HOSTILE, "two": "{a}"}}
        },
    }
    project.configure()
    process = project.run("--cores", "2")
    assert process.returncode == 0, process.stdout
    assert not [*project.root.rglob("sprung*")]

    check_text(project)


def check_text(project):
    """In figures, page, Markdown and records it is the configuration's; nothing ran it."""
    assert not [*project.root.rglob("sprung*")]
    shown = {name: _words(path) for name, path in _figures(project).items()}
    page = (project.results / "report.html").read_text()
    summary = (project.results / "report.md").read_text()
    record = json.loads((project.results / "logs/report.log").read_text())
    asked = Config.model_validate_json(record["arguments"]["config"])
    for name, figure in {**asked.experiments, **asked.comparisons}.items():
        words = getattr(figure, "figure", figure)
        assert words.title == HOSTILE or name not in ("xor", "one", "two", "both")
        assert " ".join(words.title.split()) in shown[name]
        for text in (words.title, words.paper, words.ours, words.stand_in):
            assert markdown.plain(text) in summary
    for text in (page, summary):
        assert "<script>alert" not in text and "<b>bold" not in text


def _figures(project):
    return {path.stem: path for path in (project.results / "figures").glob("*.svg")}


def _words(path) -> str:
    """The text in an SVG file, its description included."""
    return " ".join("".join(ElementTree.parse(path).getroot().itertext()).split())


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200)


@given(texts)
def test_a_rule_hands_its_specification_on_as_it_is(text):
    given = json.dumps({"title": text})
    command = expand("cat <(printf '%s\\n' --spec {spec:q})", spec=given)
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert found.stdout == f"--spec\n{given}\n"


@given(texts)
def test_text_in_snakemakes_own_report_is_shown_as_it_is(text):
    page = publish_parts(f"Text {_literal(text)} end", writer_name="html")["body"]
    shown = "".join(ElementTree.fromstring(f"<div>{page}</div>").itertext())
    assert shown.split() == f"Text {text} end".split()
