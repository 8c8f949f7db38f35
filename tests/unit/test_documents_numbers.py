"""Numbers of the documents on claims and on the paper are those of the code."""

import ast
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from largestep.claims import horizon, policies, sharpness, stable_phase
from largestep.claims.claim import papers_method
from largestep.claims.registered import CLAIMS
from largestep.configuration import reading
from largestep.configuration.config import Config
from largestep.method.activations.constants import Constants
from largestep.theory import bounds
from largestep.theory.hard_margin import hard_margin

ROOT = Path(__file__).parents[2]
NUMBER = {claim.id: place for place, claim in enumerate(CLAIMS, 1)}


def text(name: str) -> str:
    return re.sub(r"\s+", " ", (ROOT / name).read_text())


def config(name: str) -> Config:
    return reading.parse(reading.read_yaml(ROOT / f"config/{name}.yaml"), name)


def ranges(words: str) -> set[int]:
    """Of `2 and 29 to 33`, each number."""
    found = set()
    for first, last in re.findall(r"(\d+)(?: to (\d+))?", words):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def entries() -> dict[int, str]:
    """The numbered paragraphs of docs/claims.md."""
    page = (ROOT / "docs/claims.md").read_text()
    found = re.findall(
        r"^(\d+)\. (\*\*`.*?)(?=^\d+\. \*\*|^## |^\d+ to)", page, re.MULTILINE | re.DOTALL
    )
    return {int(number): entry for number, entry in found}


def test_a_proof_names_the_claims_that_name_it():
    headings = re.findall(
        r"^## (P\d+)\. .*\(claims? (.*)\)$", (ROOT / "docs/proofs.md").read_text(), re.MULTILINE
    )
    of = {proof: ranges(words) for proof, words in headings}
    assert sorted(entries()) == sorted(NUMBER.values())
    for number, entry in entries().items():
        for proof in re.findall(r"\bP\d+\b", entry):
            assert number in of[proof], (number, proof)


def test_sentences_about_several_claims_name_the_right_ones():
    page = text("docs/claims.md")
    papers = [NUMBER[claim.id] for claim in CLAIMS if papers_method in claim.needs]
    *papers, last_but_one, last = papers  # on test accuracy, added later
    assert f"Claims {papers[0]} to {papers[-1]}, {last_but_one} and {last} suppose" in page
    assert papers == list(range(papers[0], papers[-1] + 1))
    named = {
        "{} to {} follow from alignment": ("thm22-norm-rate", "alignment"),
        "for {} and {} the paper's normalization": ("thm41-time", "thm41-risk"),
        "{} to {} read the margin generator only": ("thm41-slope", "monotone-lower-bound"),
        "claims {} to {} do not speak of policies": ("thm32-mean-loss", "monotone-lower-bound"),
    }
    for words, claims in named.items():
        assert words.format(*(NUMBER[claim] for claim in claims)) in page
    beyond = text("docs/beyond.md")
    first, last = NUMBER["steepest-soft-margin"], NUMBER["constant-has-half-the-gain"]
    assert f"({first} to {last} in [claims.md]" in beyond and last == last_but_one - 1


@pytest.mark.parametrize(
    ("claim", "said", "value"),
    [
        ("thm22-margin-nearly-grows", "more than a twentieth", stable_phase._NEARLY == 1 / 20),
        ("progressive-sharpening", "by a tenth at least", sharpness._SHARPER == 1 / 10),
        ("eos-stable", "three times at least", sharpness._FEWEST == 3),
        ("cor42-quadratic", "at most $-1.9$", horizon.FAST == -1.9),
        ("cor42-quadratic", "five $T$ or more", horizon._FEWEST_POINTS == 5),
        ("monotone-lower-bound", "at least $-1.1$", horizon.SLOW == -1.1),
        ("loss-normalized-beats-powers", "than $-2$, and 1.2 times", policies._STEEPER == 1.2),
        ("loss-normalized-beats-powers", "steeper than $-2$", policies._POWER == -2),
    ],
)
def test_the_page_of_claims_has_their_bounds(claim, said, value):
    assert said in re.sub(r"\s+", " ", entries()[NUMBER[claim]])
    assert value


def test_as_many_comparisons_are_turned_round_as_is_said():
    import mutations

    paths = [path for path in mutations.CLAIMS.glob("*.py") if path.stem not in mutations.EXEMPT]
    total = sum(len(mutations.comparisons(ast.parse(path.read_text()))) for path in paths)
    assert f"each of the {total} comparisons" in text("docs/claims.md")


def test_places_in_the_paper_s_page_lead_to_the_claims_that_it_means():
    page = text("docs/paper-text.md")
    named = {
        "claim {};": "fig3-test-accuracy",
        "claim {}, in the form of P4,": "thm32-mean-loss",
        "claim {}, on the margin generator": "monotone-lower-bound",
        "claim {} has $\\eta = 0.05": "cor42-quadratic",
    }
    for words, claim in named.items():
        assert words.format(NUMBER[claim]) in page, claim
    first, last = NUMBER["thm22-norm-rate"], NUMBER["alignment"]
    assert f"claims {first} to {last} are extensions" in page
    assert {CLAIMS[place - 1].origin for place in range(first, last + 1)} == {"extension"}


def test_corollary_4_2_is_out_of_reach_by_as_much_as_is_said():
    of = config("demo").experiments["theory_horizon"]
    X, y = of.dataset.points()
    phi, gamma = of.model.activation.constants(), hard_margin(X, y)[0]
    share = 256 * (1 + 4 * phi.kappa) / (phi.alpha * gamma) ** 2
    by_step, by_samples = 8 + 4 * phi.curvature, 4 * math.exp(phi.kappa + 2) * len(y)
    start = max(np.linalg.norm(of.model.initial_layers(X.shape[1], s)[0]) for s in range(5))
    needed = share * max(by_samples, 4 * by_step**2, 2 * by_step * start / math.sqrt(of.model.m))
    page = text("docs/paper-text.md")

    def tex(value: float) -> str:
        digits, exponent = f"{value:.1e}".split("e")
        return rf"{digits} \cdot 10^{{{int(exponent)}}}"

    assert rf"$\eta = {tex(1 / (share * by_step))}\, T$ and $T \ge {tex(needed)}$" in page
    assert of.train.steps < needed


def test_the_constant_of_gelu_is_not_the_paper_s():
    page = text("docs/paper-text.md")
    printed = math.exp(-0.5) / math.sqrt(2 * math.pi)
    ours = next(c for c in _constants() if c[0] == "gelu")[1].kappa
    assert f"= {printed:.4f}$ for GELU" in page
    assert f"normal density is ${ours:.4f}$" in page
    assert printed < ours


def _constants() -> list[tuple[str, Constants]]:
    from largestep.method.activations import ALL

    kinds = [(kind.model_fields["name"].annotation.__args__[0], kind) for kind in ALL]
    return [(name, kind.model_validate({"name": name}).constants()) for name, kind in kinds]


def test_the_paper_s_two_constants_are_twice_ours_with_names_exchanged():
    of = config("demo").experiments["theory"]
    X, _ = of.dataset.points()
    phi = of.model.activation.constants()
    c1, c2 = bounds.phase_constants(of.model, X)
    assert 8 + 4 * phi.curvature == pytest.approx(2 * c1)
    assert 4 * math.exp(phi.kappa + 2) == pytest.approx(2 * c2)
    page = text("docs/proofs.md")
    assert f"$c_2 n / c_1 = {c2 * len(X) / c1:.0f}$" in page
    assert rf"Swapped, the corner would be at $\eta = {c1 * len(X) / c2:.0f}$" in page


def test_the_corner_was_measured_where_the_proofs_say():
    runs = json.loads((ROOT / "docs/reference/demo.json").read_text())["runs"]
    runs = [
        run for run in runs if run["experiment"] == "theory_horizon" and run["stable_phase_step"]
    ]
    at = {run["eta"]: run["eta"] * run["stable_phase_step"] for run in runs}
    before = [value for eta, value in at.items() if eta < 246]
    said = r"$s \eta$ is constant to 3% from $\eta = 42$ to $243$ and a quarter larger at $312$"
    assert said in text("docs/proofs.md")
    assert (round(min(at)), round(max(eta for eta in at if eta < 246))) == (42, 243)
    assert round(100 * (max(before) / min(before) - 1)) == 3
    assert at[311.6] / min(before) == pytest.approx(1.25, abs=0.01)


def test_widths_and_numbers_beside_the_paper_s_are_those_configured():
    page, experiments = text("docs/paper-text.md"), config("paper").experiments
    assert f"| width {experiments['fig1'].model.widths[0]}; width 200 as a variant" in page
    assert set(experiments["fig1_wide"].model.widths) == {200}
    assert experiments["fig2_xor"].model.m == 20 and "its mirror image" in page
    assert experiments["fig2_images"].model.m == experiments["fig2_images_large"].model.m == 40
    sizes = [experiments[name].dataset.n for name in ("fig2_images", "fig2_images_large")]
    assert f"{sizes[0]:,} images and, in `fig2_images_large`, {sizes[1]:,}" in page
    assert experiments["images_softplus"].model.activation.name == "softplus"


def test_the_readme_s_figure_is_the_reference_s():
    """Stepsizes, images, seeds and that the large stepsize ends far below, of docs/reference."""
    page = text("README.md")
    runs = json.loads((ROOT / "docs/reference/paper.json").read_text())["runs"]
    runs = [run for run in runs if run["experiment"] == "fig1"]
    small, large = sorted({run["stepsize"] for run in runs})
    seeds = ("one", "two", "three", "four", "five")[len({run["seed"] for run in runs}) - 1]
    assert (
        f"for stepsizes {large} and {small}" in page and f"With stepsize {large} the loss" in page
    )
    assert f"a 4-layer GELU network, {seeds} seeds" in page
    assert {run["dataset"].split("-n")[1].split("-")[0] for run in runs} == {"6000"}
    assert "6,000 CIFAR-10 images" in page
    losses = {
        step: [r["final_loss"] for r in runs if r["stepsize"] == step] for step in (small, large)
    }
    assert 10 * max(losses[large]) < min(losses[small])
    assert {run["last_increase_step"] for run in runs if run["stepsize"] == small} == {0}


# Beyond the paper: what tests/beyond_numbers.py has written down of a run


@pytest.fixture(scope="module")
def beyond() -> dict:
    return json.loads((ROOT / "docs/reference/beyond.json").read_text())


def rows(first: str) -> list[list[str]]:
    """Cells of the table in docs/beyond.md whose head begins so, without the head."""
    page = (ROOT / "docs/beyond.md").read_text()
    table = page[page.index(f"| {first}") :].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_margins_beyond_the_paper_are_those_of_the_run(beyond):
    found, largest = beyond["flavors"], {}
    for norm in ("l1", "l2", "linf"):
        largest[norm] = max(each[norm] for each in found.values())
    table = rows("margin at the last step")
    assert len(table) == len(found)
    for (label, *cells), (name, values) in zip(table, found.items(), strict=True):
        assert label.startswith(name.split(" (")[0])
        for norm, cell in zip(largest, cells, strict=True):
            assert float(cell.strip("*")) == pytest.approx(values[norm], rel=0.05)
            assert cell.startswith("**") == (values[norm] == largest[norm])


def test_evaluations_beyond_the_paper_are_those_of_the_run(beyond):
    found = beyond["evaluations"]
    fewest = {
        name: [
            min((v for v in column if v), default=None)
            for column in zip(*table.values(), strict=True)
        ]
        for name, table in found.items()
    }
    for label, *cells in rows("| XOR"):
        for (name, table), cell in zip(found.items(), cells, strict=True):
            values = next(v for key, v in table.items() if key.split(" (")[0] == label)
            for k, (word, value) in enumerate(zip(cell.split(" / "), values, strict=True)):
                expected = "-" if value is None else f"{value:,.0f}"
                assert word.strip("*") == expected, (label, name)
                assert word.startswith("**") == (value is not None and value == fewest[name][k])


def test_sentences_beyond_the_paper_are_those_of_the_run(beyond):
    page, flavors, verdicts = text("docs/beyond.md"), beyond["flavors"], beyond["verdicts"]

    def of(column: str, name: str) -> str:
        return f"{next(v for k, v in flavors.items() if k.startswith(name))[column]:.2f}"

    def judged(claim: str, verdict: str) -> str:
        return f"{verdicts[claim].get(verdict, 0)} of {sum(verdicts[claim].values())}"

    polyak = [table["Polyak"][-1] for table in beyond["evaluations"].values()]
    slack = sorted(values["slackness"] for values in flavors.values())
    shares = {name: f"{found['measured']:.2f}" for name, found in beyond["shares"].items()}
    names = [f"policies_{name}" for name in ("xor", "separable", "images")]
    for words in (
        f"({judged('steepest-soft-margin', 'holds')} runs)",
        f"falls to between {slack[0]:.2f} and {slack[-1]:.2f}",
        f"reaches {of('alignment', 'gradient')} for gradient",
        f"and {of('alignment', 'sign')} for sign",
        f"only {of('alignment', 'coordinate')} for coordinate",
        f"stops at {of('alignment', 'Adam')}",
        f"is there after {min(polyak):.0f} to {max(polyak):.0f}",
        "{}, {} and {} (XOR, separable, images)".format(*(shares[name] for name in names)),
        f"(`two-phases`, violated by {judged('two-phases', 'violated')})",
    ):
        assert words in page, words
    assert {beyond["shares"][name]["verdict"] for name in names} == {"holds"}
    assert beyond["shares"]["policies_mlp"]["verdict"] == "inconclusive"
    assert verdicts["steepest-own-norm"] == {"holds": 3}
    assert set(verdicts["loss-normalized-beats-powers"]) <= {"holds", "inconclusive"}
    assert "violated" not in verdicts["eos-unstable"]


def test_counts_beyond_the_paper_are_those_configured():
    page, beyond = text("docs/beyond.md"), config("beyond")
    maps = beyond.atlases
    runs = {name: math.prod(map(len, atlas.axes.values())) for name, atlas in maps.items()}
    mapped = sum(n for name, n in runs.items() if name.startswith("stepsize_"))
    assert f"{mapped:,} runs on the margin generator" in page
    for name, n in runs.items():
        assert f"`{name}` {n:,} runs" in page
    methods = {len(e.train.methods) for n, e in beyond.experiments.items() if "policies" in n}
    assert methods == {11} and "Eleven methods" in page
    flavors = beyond.experiments["flavors"]
    assert f"n = {flavors.dataset.n}, five seeds" in page and len(flavors.train.seeds) == 5
