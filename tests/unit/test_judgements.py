import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from test_page import CLAIM, FINDING

from largestep.claims.summary import summary
from largestep.report import judgements


def claims(**verdicts: int) -> list[dict]:
    return [
        CLAIM | {"verdict": verdict.replace("_", " ")}
        for verdict, n in verdicts.items()
        for _ in range(n)
    ]


def said(some: list[dict]) -> str:
    return summary(claim["verdict"] for claim in some)


def test_the_summary_counts_what_is_applicable():
    some = claims(holds=3, holds_where_decided=2, inconclusive=1, violated=1, not_applicable=4)
    assert said(some) == (
        "5 of 7 claims hold, 2 of them where decided (1 violated, 1 inconclusive, 4 not applicable)"
    )
    assert said(claims(holds=1)) == "1 of 1 claim holds (0 violated, 0 inconclusive)"
    assert said(claims(not_applicable=2)) == "none of 2 claims applies"
    assert list(judgements.counts(some).values()) == [3, 2, 1, 1, 4]


def test_the_headline_is_by_origin_and_has_what_variants_violate():
    mine = [CLAIM | {"origin": "extension", "id": "wide", "violated_variants": ["xor_wide"]}]
    assert judgements.headline(claims(holds=1, violated=1) + mine) == [
        "Stated by the paper: 1 of 2 claims hold (1 violated, 0 inconclusive)",
        "An extension of ours: 1 of 1 claim holds (0 violated, 0 inconclusive)",
        "Violated on variants: wide",
    ]


def test_a_cell_says_what_one_experiments_runs_say():
    runs = [
        {"experiment": "a", "holds": 2},
        {"experiment": "b", "holds": 1, "inconclusive": 3},
        {"experiment": "c", "holds": 5, "violated": 1},
        {"experiment": "d", "not applicable": 2},
    ]
    found = judgements.cells(CLAIM | {"runs": runs}, ["d", "c", "none", "b", "a"])
    assert [cell and cell.verdict for cell in found] == [
        "not applicable",
        "violated",
        None,
        "holds where decided",
        "holds",
    ]
    assert found[3].counts == "1 hold, 3 inconclusive"


def test_an_experiment_s_claims_say_where_only_some_runs_decide():
    rows = [{"experiment": "a", "holds": 2}, {"experiment": "b", "holds": 1, "inconclusive": 3}]
    rows += [{"experiment": "c", "holds": 5, "violated": 1}]
    for name, verdict in (("a", "holds"), ("b", "holds where decided"), ("c", "violated")):
        found = judgements.judged([CLAIM | {"runs": rows}], "runs", name)
        assert [v for v, ids in found.items() if ids] == [verdict]
    assert next(iter(found)) == "violated"
    assert not any(judgements.judged([], "runs", "a").values())


@given(*[st.floats(-1e6, 1e6)] * 2, st.booleans())
def test_a_bar_shows_on_which_side_of_its_bound_a_value_is(measured, bound, upper):
    slack = bound - measured if upper else measured - bound
    found = judgements.bar(CLAIM | {"measured": measured, "bound": bound, "slack": slack})
    assert all(0 <= part <= 100 for part in found)
    inside = found.right_from - 0.1 <= found.measured <= found.right_to + 0.1
    if abs(found.measured - found.bound) > 0.2:
        assert inside == (slack >= 0)


def test_a_claim_without_numbers_has_no_bar():
    assert judgements.bar(CLAIM | {"measured": None}) is None


def test_the_finding_that_decides_comes_first():
    def row(verdict, slack, bound=1.0, experiment="xor"):
        return FINDING | {
            "verdict": verdict,
            "slack": slack,
            "bound": bound,
            "experiment": experiment,
        }

    rows = [row("inconclusive", None), row("holds", 5.0), row("holds", 4.0, 10.0)]
    rows += [row("violated", -1.0), row("violated", -3.0), row("not applicable", None)]
    (found,) = judgements.every_finding(pd.DataFrame(rows)).values()
    assert [(each[5], each[8]) for each in found] == [
        ("violated", -3.0),
        ("violated", -1.0),
        ("holds", 4.0),
        ("holds", 5.0),
        ("inconclusive", None),
        ("not applicable", None),
    ]


def test_notes_of_findings_have_letters_and_signs_as_characters():
    rows = pd.DataFrame([FINDING | {"note": "from eta = c2 n / c1 on; +- 2.3"}])
    assert judgements.every_finding(rows)[FINDING["claim"]][0][-1] == "from η = c2 n / c1 on; ± 2.3"
