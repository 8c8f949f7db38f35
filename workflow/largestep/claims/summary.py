"""How many claims hold, in words."""

from collections import Counter
from collections.abc import Iterable

from largestep.claims.verdicts import Verdict


def summary(verdicts: Iterable[str]) -> str:
    """30 of 31 claims hold, 1 of them where decided (0 violated, 1 inconclusive)."""
    found = Counter(verdicts)
    partly, apart = found[Verdict.WHERE_DECIDED], found[Verdict.NOT_APPLICABLE]
    judged = found.total() - apart
    if not judged:
        return f"none of {apart} claims applies"
    noun, verb = ("claim", "holds") if judged == 1 else ("claims", "hold")
    where = f", {partly} of them where decided" if partly else ""
    rest = f"{found[Verdict.VIOLATED]} violated, {found[Verdict.INCONCLUSIVE]} inconclusive"
    rest += f", {apart} not applicable" if apart else ""
    return f"{found[Verdict.HOLDS] + partly} of {judged} {noun} {verb}{where} ({rest})"
