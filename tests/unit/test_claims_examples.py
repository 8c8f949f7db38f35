"""Every claim holds on runs that satisfy it, and on no wrong ones."""

from collections import Counter

import examples
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from largestep.claims.registered import CLAIMS
from largestep.claims.verdicts import Verdict, overall

examples.load()
CLAIM = {claim.id: claim for claim in CLAIMS if claim.about_runs}
WRONG = [(claim, name) for claim in CLAIM for name in examples.WRONG[claim]]
FEW = settings(max_examples=3, deadline=None, database=None, derandomize=True)


def verdicts(claim: str, study) -> list[Verdict]:
    return [finding.verdict for finding in CLAIM[claim].check(study)]


def test_every_claim_has_its_examples():
    lacking = [line for claim in CLAIM if (line := examples.missing(claim))]
    assert not lacking, "\n".join(lacking)


@pytest.mark.parametrize("claim", [claim for claim in CLAIM if not examples.missing(claim)])
@FEW
@given(slack=st.floats(0.001, 0.3))
def test_a_claim_holds_with_little_slack_and_is_violated_without(claim, slack):
    assert set(verdicts(claim, examples.EXAMPLES[claim](slack))) == {Verdict.HOLDS}
    assert Verdict.VIOLATED in verdicts(claim, examples.EXAMPLES[claim](-slack))


@pytest.mark.parametrize(("claim", "name"), WRONG)
@FEW
@given(size=st.floats(0.01, 1))
def test_a_claim_never_holds_on_wrong_runs(claim, name, size):
    found = verdicts(claim, examples.WRONG[claim][name](size))
    assert found, "the claim does not speak of it"
    assert overall(Counter(found)) is not Verdict.HOLDS
