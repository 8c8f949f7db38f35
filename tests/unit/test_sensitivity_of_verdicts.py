"""Which verdicts depend on a choice: claims against choices."""

import re

import pytest

from largestep.configuration import reading
from largestep.report import sensitivity, sensitivity_map, style

NET = {"kind": "two_layer", "width": 4, "activation": {"name": "leaky_softplus", "c": 0.5}}
CONTENT = {
    "name": "test",
    "experiments": {
        "base": {
            "dataset": {"source": "margin", "n": 10, "d": 3, "gamma": 0.1, "seed": 0},
            "model": NET,
            "train": {"eta": [1.0], "seeds": [0], "steps": 8},
        },
        "wide": {"variant_of": "base", "model": {"width": 8}},
        "wider": {"variant_of": "base", "model": {"width": 16}, "train": {"steps": 4}},
        "more": {"variant_of": "base", "dataset": {"n": 20, "seed": 1}},
        "softer": {"variant_of": "base", "model": {"activation": {"name": "gelu"}}},
        "single": {"variant_of": "base", "train": {"dtype": "float32", "seeds": [0, 1]}},
        "both": {"variant_of": "base", "model": {"scale": 0.1, "width": 8}},
        "longer": {"variant_of": "base", "train": {"steps": 16}},
    },
}
CONFIG = reading.parse(CONTENT, "test")


def claim(name: str, base: str, **variants: str) -> dict:
    """An entry of claims.json as far as it is read here: one finding on each experiment."""
    return {
        "id": name,
        "runs": [{"experiment": "base", base: 1}],
        "variants": [{"experiment": v, verdict: 1} for v, verdict in variants.items()],
    }


def kinds(*claims: dict) -> dict[tuple[str, str], tuple[str, int, int]]:
    rows = sensitivity.table(CONFIG, claims)
    return {
        (name, choice): (cell.kind, cell.count, cell.total)
        for name, cells in rows.items()
        for choice, cell in cells.items()
    }


def test_a_variant_is_filed_under_what_it_chooses_otherwise():
    names = [name for name in CONFIG.experiments if name != "base"]
    found = sensitivity.effects(CONFIG, [claim("c", "holds", **dict.fromkeys(names, "holds"))])
    assert {effect.variant: effect.choice for effect in found} == {
        "wide": "width",
        "wider": "width",
        "more": "samples",
        "softer": "activation",
        "single": "precision",
        "both": "initial scale and width",
        "longer": "effort",
    }


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("holds", "holds", "same"),
        ("violated", "violated", "same"),
        ("inconclusive", "inconclusive", "undecided"),
        ("holds", "violated", "changed"),
        ("violated", "holds", "changed"),
        ("holds", "inconclusive", "undecided"),
        ("inconclusive", "violated", "undecided"),
        ("holds", "not applicable", "not applicable"),
        ("not applicable", "violated", "not applicable"),
    ],
)
def test_what_a_variant_does_to_a_verdict(before, after, kind):
    assert kinds(claim("c", before, wide=after)) == {("c", "width"): (kind, 1, 1)}


def test_of_several_variants_the_gravest_counts():
    assert kinds(claim("c", "holds", wide="holds", wider="violated")) == {
        ("c", "width"): ("changed", 1, 2)
    }
    assert kinds(claim("c", "holds", wide="inconclusive", wider="inconclusive")) == {
        ("c", "width"): ("undecided", 2, 2)
    }


def test_where_a_claim_says_nothing_there_is_no_cell():
    assert kinds(claim("c", "not applicable", wide="not applicable")) == {}
    assert kinds({"id": "c", "runs": [], "variants": [{"experiment": "wide", "holds": 1}]}) == {}
    assert kinds({"id": "c", "runs": [{"experiment": "base", "holds": 1}], "variants": []}) == {}


def test_the_summary_counts_claims():
    claims = [
        claim("same", "holds", wide="holds", softer="not applicable"),
        claim("changes", "holds", wide="holds", more="violated"),
        claim("open", "holds", wide="inconclusive"),
    ]
    rows = sensitivity.table(CONFIG, claims)
    text = sensitivity.summary(rows)
    assert re.findall(r"\d+", text) == ["3", "1", "1"]
    assert rows["changes"]["samples"].words == "more: holds, then violated"
    assert sensitivity.choices(rows)[0] == "width"
    assert sensitivity_map.described(rows) == "Verdicts change for changes with another samples"


def test_the_figure_has_a_field_for_each_cell(tmp_path):
    claims = [claim("first", "holds", wide="violated"), claim("second", "holds", more="holds")]
    rows = sensitivity.table(CONFIG, claims)
    with style.theme():
        figure = sensitivity_map.draw(rows)
        style.save(figure, tmp_path / "map.svg", "title", "words")
    (ax,) = figure.axes
    assert sorted(text.get_text() for text in ax.texts) == ["✓ 1 of 1", "✗ 1 of 1"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    assert (tmp_path / "map.svg").stat().st_size > 1000
