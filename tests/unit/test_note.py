"""The note as a reader gets it: its bytes, its text, its rendered pages."""

import re
import shutil
import subprocess
from dataclasses import replace
from unicodedata import normalize

import descend
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from test_page import CLAIM
from test_page import contents as page

from largestep.report import note, style
from largestep.report.note import Contents

HOSTILE = '<img src=x onerror="alert(1)"> #panic("run") $x$ \\ `raw` *bold* "quoted" @label // end'

rendered = pytest.mark.skipif(
    not shutil.which("pdftotext"), reason="needs poppler-utils (pdftotext, pdftoppm)"
)


def contents(experiments=None, claims=(CLAIM,), **others) -> Contents:
    """Of real runs; every figure is the same small drawing."""
    given = page(experiments, claims, **others)
    shown = [n for n, e in given.config.experiments.items() if not e.variant_of]
    figures = dict.fromkeys([*shown, *given.config.comparisons], drawing())
    return Contents(given.config, figures, given.runs, given.claims, given.machine, given.commit)


def drawing() -> bytes:
    return (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="400" height="120">'
        b'<rect width="400" height="120" fill="#00a000"/></svg>'
    )


def text(pdf: bytes) -> str:
    """What a reader can copy out of it, on one line, letters of formulas as plain ones."""
    done = subprocess.run(
        ["pdftotext", "-layout", "-", "-"], input=pdf, capture_output=True, check=True
    )
    return re.sub(r"\s+", " ", normalize("NFKC", done.stdout.decode()))


def pages(pdf: bytes, folder) -> list[np.ndarray]:
    """Each page as grey values."""
    command = ["pdftoppm", "-r", "40", "-png", "-", str(folder / "page")]
    subprocess.run(command, input=pdf, check=True)
    return [np.asarray(Image.open(path).convert("L")) for path in sorted(folder.glob("page*.png"))]


def test_equal_contents_are_equal_bytes_and_other_contents_are_not():
    given = contents()
    assert note.pdf(given) == note.pdf(given)
    other = contents(claims=[CLAIM | {"statement": "Another."}])
    assert note.pdf(given) != note.pdf(other)


@rendered
def test_it_tells_what_how_results_choices_and_what_stays_open():
    open_one = CLAIM | {
        "id": "open",
        "statement": "The loss falls like 1/T^2.",
        "verdict": "inconclusive",
        "reason": "three octaves need 400 steps",
    }
    figure = {"title": "Figure 2", "paper": "so they say", "ours": "a choice", "stand_in": "toys"}
    told = text(note.pdf(contents({"xor": descend.XOR | {"figure": figure}}, [CLAIM, open_one])))
    for words in (
        "Stated by the paper: 1 of 2 claims hold (0 violated, 1 inconclusive)",
        "Every step lowers the loss. 0.95 0.5 holds",
        "[P] so they say",
        "Figure 2: a choice. Stand-in: toys",
        "inconclusive: The loss falls like",
        "three octaves need 400 steps",
        "make demo",
        "0123abc-dirty",
    ):
        assert words in told


@rendered
def test_what_the_claims_stage_may_add_is_told():
    added = {"decided": 3, "applicable": 5, "violated_variants": ["wide"], "decides": "more steps"}
    partly = CLAIM | added | {"verdict": "holds where decided"}
    told = text(note.pdf(contents(claims=[partly])))
    assert "1 of 1 claim holds, 1 of them where decided" in told
    assert "(3 of 5)" in told and "(wide)" in told


@rendered
def test_what_verdicts_depend_on_has_its_figure():
    experiments = {"xor": descend.XOR, "wide": {"variant_of": "xor", "model": {"width": 8}}}
    judged = {"variants": [{"experiment": "wide", "violated": 1}]}
    claim = CLAIM | judged | {"runs": [{"experiment": "xor", "holds": 1}]}
    given = replace(contents(experiments, [claim]), sensitivity=drawing())
    told = text(note.pdf(given))
    assert "Sensitivity to choices" in told and "1 change it in one at least" in told
    assert "Sensitivity to choices" not in text(note.pdf(contents()))


@rendered
def test_hostile_text_is_shown_and_not_executed():
    figure = {"title": HOSTILE, "paper": HOSTILE, "ours": HOSTILE}
    claim = CLAIM | {"statement": HOSTILE, "reason": HOSTILE, "verdict": "violated"}
    told = text(note.pdf(contents({"xor": descend.XOR | {"figure": figure}}, [claim])))
    assert told.count('onerror="alert(1)"> #panic("run") $x$') >= 4


@rendered
def test_pages_are_filled_within_their_margins_and_show_the_figures(tmp_path):
    found = pages(note.pdf(contents()), tmp_path)
    assert 2 <= len(found) <= 5
    for grey in found:
        width = grey.shape[1]
        dark = grey < 200
        assert 0.005 < dark.mean() < 0.5
        assert not dark[:, : width // 20].any() and not dark[:, -width // 20 :].any()
    green = sum(int((abs(grey.astype(int) - 94) < 4).sum()) for grey in found)
    assert green > 2 * 50 * 150  # pixels of the two figures at 40 dots per inch


@rendered
def test_figures_are_vectors(tmp_path):
    """Lines and letters of the figures, and no picture of dots."""
    from matplotlib.figure import Figure

    with style.theme():
        figure = Figure()
        figure.subplots().set_title("A title")
        style.save(figure, tmp_path / "xor.svg", "t", "d")
    given = contents({"xor": descend.XOR})
    svg = {"xor": (tmp_path / "xor.svg").read_bytes()}
    (tmp_path / "note.pdf").write_bytes(
        note.pdf(Contents(given.config, svg, given.runs, [], {}, "abc"))
    )
    command = ["pdfimages", "-list", str(tmp_path / "note.pdf")]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 2  # the table's head


def test_a_quantity_that_some_seeds_lack_says_of_how_many():
    given = contents({"xor": descend.XOR})
    seeds = [given.runs.assign(separation_step=step) for step in (7.0, 9.0, np.nan)]
    rows = note.table(given.config.experiments["xor"], pd.concat(seeds))
    place = rows[0].index("interpolation")
    assert {row[place] for row in rows[1:]} == {"8 (2 of 3)"}
