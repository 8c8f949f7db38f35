import json
import re
from xml.etree import ElementTree

import pytest
import typst
from hypothesis import example, given, settings
from hypothesis import strategies as st

from largestep.report import mathematics, note


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
        ("the lower bound Omega(1/T) of", r"the lower bound $\Omega (1/T)$ of"),
        ("is O(1/T^2) (4.2); than 1/T (4.3).", r"is $O(1/T^{2})$ (4.2); than $1/T$ (4.3)."),
        ("weights +-1/m, against tau", r"weights $\pm 1/m$, against $\tau$"),
        ("like (1/log t)^1.5, T = 2^8.", r"like $(1/\log\,t)^{1.5}$, $T = 2^{8}$."),
        ("gamma_a = ln(1 / (n L))", r"$\gamma_a = \ln (1 / (n L))$"),
        ("the sum G_k -> 0", r"the $\sum G_{k} \to 0$"),
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
        "stepsizes 0.2 and 0.005, slope -1.001, log of it",
        "",
    ],
)
def test_prose_stays_as_it_is(text):
    assert mathematics.tex(text) == text


def test_signs_between_numbers_are_characters():
    text = "0.2391 +- 0.3036, 3 <= 4, 0.87 -> 0.93; a ->b"
    expected = "0.2391 ± 0.3036, 3 ≤ 4, 0.87 → 0.93; a ->"
    assert mathematics.tex(text).startswith(expected) and expected[:-2] in mathematics.html(text)


def test_where_no_markup_can_be_letters_and_signs_are_characters():
    text = "from eta = c2 n >= 3, eta_tilde t +- 1, lambda_max, Omega(1/T), beta test"
    expected = "from η = c2 n ≥ 3, η\u0303 t ± 1, λ_max, Ω(1/T), β test"
    assert mathematics.characters(text) == expected
    assert mathematics.characters("betas, meta, <b>") == "betas, meta, <b>"


def compiled(texts: list[str]) -> bytes:
    """A picture of texts, set as the note sets them."""
    (sets,) = re.findall(r"#let mathematics.*?\n\}\n", note.TEMPLATE.read_text(), re.DOTALL)
    source = sets + "#for parts in json(bytes(sys.inputs.data)) [#mathematics(parts)]"
    found = json.dumps([mathematics.typst(text) for text in texts])
    return typst.compile(source.encode(), format="svg", sys_inputs={"data": found})


def test_the_note_has_the_formulas_too():
    assert mathematics.typst("bound Omega(1/T) of") == [
        ("bound ", ""),
        ("", r'Omega \( "1" \/ T \)'),
        (" of", ""),
    ]
    first, second = compiled(["||w_t||^2 >= sqrt(m)"]), compiled(["||w_t||^2 <= sqrt(m)"])
    assert first != second
    for name in (*mathematics._NAMES, *mathematics._OPERATORS):
        compiled([f"x = {name} x", f"x_{{{name}}}"])


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


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(_PARTS), max_size=12).map("".join), max_size=8))
@example(
    ["sqrt(m", "^2_2 x_a_b", '_{#panic("a") "', r"x_{\\} sqrt(x) sqrt(", "|x| ||x", "x_{sqrt(}"]
)
def test_whatever_the_text_the_note_can_be_set(texts):
    assert compiled(texts).startswith(b"<svg")
