import re

import descend
import pytest
from test_page import CLAIM, contents

from largestep.report import markdown
from largestep.report.numbers import share, steps


def page(**described) -> str:
    return markdown.markdown(contents(described, claims=[CLAIM]))


def test_each_figure_has_its_picture_its_origins_and_its_runs():
    figure = {"panels": ["loss"], "title": "A figure", "paper": "so they say", "ours": "a choice"}
    text = page(xor=descend.XOR | {"figure": figure}, fig4=descend.FIVE_POINTS)
    first = text[text.index("## A figure") : text.index("## fig4")]
    for words in (
        "![A figure](figures/xor.png)",
        "- **P** so they say",
        "- **C** a choice",
        "- **These runs** After 300 steps the training loss is",
        "- Claims, holds where decided: thm22-descent",
        "| η | last increase | $t_{sep}$ |",
    ):
        assert words in first
    assert text.count("- **Training loss**: It falls: like $1/t$.") == 1
    assert "0123abc-dirty" in text and "2 min 08 s" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rate $x_1 < \\frac{a}{b}$, b_c", "rate $x_1 &lt; \\frac{a}{b}$, b_c"),
        ("*a* _b_ [c](d) `e` # f\n| g", r"\*a\* \_b\_ \[c\](d) \`e\` \# f \| g"),
        ("<script> & $5 or $6", r"&lt;script&gt; &amp; \$5 or \$6"),
    ],
)
def test_text_is_shown_as_it_is_but_for_mathematics(text, shown):
    assert markdown.plain(text) == shown
    figure = {"panels": ["loss"], "title": text, "paper": text}
    assert f"## {shown}\n" in page(xor=descend.XOR | {"figure": figure})


def test_every_table_is_rectangular():
    given = contents(claims=[CLAIM | {"reason": "|a| < |b|"}])
    text = markdown.markdown(given).replace("\\|", "")
    blocks = [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]
    assert len(blocks) == len(given.config.experiments) + 1
    for block in blocks:
        assert len(block) > 2 and len({line.count("|") for line in block}) == 1


def test_what_verdicts_depend_on_is_a_table():
    experiments = {"xor": descend.XOR, "wide": {"variant_of": "xor", "model": {"width": 8}}}
    judged = {"variants": [{"experiment": "wide", "violated": 1}]}
    claim = CLAIM | judged | {"runs": [{"experiment": "xor", "holds": 1}]}
    text = markdown.markdown(contents(experiments, claims=[claim]))
    assert "![Claims against choices](sensitivity.png)" in text
    assert f"| claim | width |\n|---|---|\n| {CLAIM['id']} | ✗ 1 of 1 |\n" in text
    assert f"- {CLAIM['id']}, width: wide: holds, then violated" in text
    assert "Sensitivity" not in markdown.markdown(contents())


def test_variants_have_no_part_of_their_own():
    variant = {"variant_of": "xor", "model": {"width": 8}, "figure": {"title": "Wide"}}
    assert "Wide" not in page(xor=descend.XOR, wide=variant)


def test_policies_that_choose_their_stepsizes_have_a_row_each():
    experiment, _, runs, _ = descend.trained(descend.XOR)
    runs = runs.assign(stepsize=float("nan"), policy=["polyak (scale = 1)", "polyak (scale = 2)"])
    heading, *rows = markdown.table(experiment, runs)
    assert heading[0] == "policy"
    assert [row[0] for row in rows] == ["polyak (scale = 1)", "polyak (scale = 2)"]


def test_long_grids_show_some_stepsizes():
    many = descend.XOR | {"train": descend.XOR["train"] | {"eta": [1 + k / 10 for k in range(40)]}}
    text = page(xor=many)
    rows = text[text.index("| η") :].split("\n\n")[0].splitlines()[2:]
    assert 5 <= len(rows) <= 9 and rows[0].startswith("| 4.9 ")


@pytest.mark.parametrize(
    "values, written, expected",
    [
        ([3.0], steps, "3"),
        ([3.0, 9.0, 4.0], steps, "4 (3 to 9)"),
        ([3.0, None, 3.0], steps, "3, never in 1 of 3"),
        ([None, float("nan")], steps, "\N{EN DASH}"),
        ([0.5, 0.7], share, "50.0% (50.0% to 70.0%)"),
    ],
)
def test_spread_is_a_value_of_a_seed_and_the_range(values, written, expected):
    assert markdown.spread(values, written) == expected
