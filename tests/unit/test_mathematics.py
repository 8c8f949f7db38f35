from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from largestep.report import mathematics


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("grows like log t", r"grows like $\log\,t$"),
        ("falls like 1/(eta t) at", r"falls like $1/(\eta t)$ at"),
        ("min y f / ||w||^4 increases", r"$\min y f / \|w\|^{4}$ increases"),
        ("largest (L_{t+1} - L_t) / L_t", r"largest $(L_{t+1} - L_{t}) / L_{t}$"),
        ("|phi''| <= B, for all", r"$|\phi ''| \le B$, for all"),
        (
            "weights U(+-1/sqrt(fan_in)), seeds",
            r"weights $U(\pm 1/\sqrt {\mathrm{fan_{in}}})$, seeds",
        ),
        ("under min{1/(2 n), e^(kappa+2)}", r"under $\min \{1/(2 n), e^{\kappa +2}\}$"),
        ("its sharpness * stepsize / 2", r"its $\text{sharpness} \, \tilde{\eta} / 2$"),
        ("after T steps, T = 2^8 to 2^13", r"after $T$ steps, $T = 2^{8}$ to $2^{13}$"),
    ],
)
def test_formulas_are_found_and_set(text, tex):
    assert mathematics.tex(text) == tex
    assert "<math" in mathematics.html(text) and "||" not in mathematics.html(text)


@pytest.mark.parametrize(
    "text",
    [
        "A run's loss, 0.039, is not yet under the threshold of Theorem 2.2's proof.",
        "Figure 2 (c), Figures 2 (b) and (e), Figure 2 a-c; a 4-layer GELU network (2.2)",
        "6,000 CIFAR-10 images, non-monotone, test_accuracy of fig2_xor, 95% of a sum of 3 seeds",
        "stepsizes 0.2 and 0.005, slope -1.001, 0.2391 +- 0.3036, log of it",
        "",
    ],
)
def test_prose_stays_as_it_is(text):
    assert mathematics.tex(text) == text


_PARTS = (
    *("||w||", "eta", "log", "sqrt(", "(", ")", "{", "}", "^", "_", "|", "a", "T", ",", "<b>"),
    *(
        "1/2",
        "stepsize",
        "+-",
        " ",
        "phi'",
        "\\",
        "$",
        "%",
        "&",
        "é",
        "min{",
        "x_i",
        "^{",
        "_{t+1}",
    ),
)


@given(st.lists(st.sampled_from(_PARTS), max_size=12).map("".join))
@example("sqrt(m")
@example(r"\frac{")
def test_whatever_the_text_nothing_is_lost_and_nothing_becomes_markup(text):
    assert "".join(plain for plain, _ in mathematics._parts(text)) == text
    root = ElementTree.fromstring(f"<p>{mathematics.html(text)}</p>")
    tags = {each.tag.rpartition("}")[2] for each in root.iter()}
    assert "b" not in tags and all(tag in ("p", "math") or tag.startswith("m") for tag in tags)
    assert not {name for each in root.iter() for name in each.attrib} & {"href", "class", "style"}
