"""Which verdicts depend on a choice that the paper does not state: claims against choices."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from largestep.configuration.config import Config
from largestep.configuration.variants import choice
from largestep.report.judgements import verdict_on

#: What a variant does to a verdict, the gravest first, with its sign.
EFFECTS = {
    "changed": "✗",
    "undecided": "?",
    "same": "✓",
    "not applicable": "\N{EN DASH}",
}
MEANINGS = {
    "changed": "holds on one of the two, is violated on the other",
    "undecided": "one of the two, or both, decide nothing",
    "same": "the same verdict",
    "not applicable": "a hypothesis fails on one of the two",
}

Claim = Mapping[str, Any]


class Effect(NamedTuple):
    """A claim's verdicts on an experiment and on a variant that differs from it in one choice."""

    claim: str
    choice: str
    variant: str
    before: str
    after: str

    @property
    def kind(self) -> str:
        pair = {self.before, self.after}
        for verdict, kind in (("not applicable",) * 2, ("inconclusive", "undecided")):
            if verdict in pair:
                return kind
        return "same" if len(pair) == 1 else "changed"


class Cell(NamedTuple):
    """All variants of one choice: the gravest effect, of how many it is, and who they are."""

    kind: str
    count: int
    total: int
    words: str


def effects(config: Config, claims: Sequence[Claim]) -> list[Effect]:
    """Of every claim and variant on both of which it says something."""
    found = []
    for claim in claims:
        for name, experiment in config.experiments.items():
            if (of := experiment.variant_of) is None:
                continue
            before = verdict_on(claim, "runs", of)
            after = verdict_on(claim, "variants", name)
            if before and after and {before, after} != {"not applicable"}:
                differs = choice(config.experiments[of], experiment)
                found.append(Effect(claim["id"], differs, name, before, after))
    return found


def table(config: Config, claims: Sequence[Claim]) -> dict[str, dict[str, Cell]]:
    """By claim, in their order, and choice."""
    rows: dict[str, dict[str, list[Effect]]] = {}
    for effect in effects(config, claims):
        rows.setdefault(effect.claim, {}).setdefault(effect.choice, []).append(effect)
    return {
        claim: {choice: _cell(effects) for choice, effects in cells.items()}
        for claim, cells in rows.items()
    }


def choices(rows: Mapping[str, Mapping[str, Cell]]) -> list[str]:
    """The columns of a table: every choice, the one that most claims speak of first."""
    seen = Counter(choice for cells in rows.values() for choice in cells)
    return [choice for choice, _ in seen.most_common()]


def _cell(found: Sequence[Effect]) -> Cell:
    kinds = Counter(effect.kind for effect in found)
    gravest = next(kind for kind in EFFECTS if kinds[kind])
    words = "; ".join(
        f"{e.variant}: {e.before}, then {e.after}" for e in found if e.kind == gravest != "same"
    )
    return Cell(gravest, kinds[gravest], len(found), words)


def summary(rows: Mapping[str, Mapping[str, Cell]]) -> str:
    """How many claims keep their verdict whatever the choice, in a sentence; none without rows."""
    if not rows:
        return ""
    kinds = [{cell.kind for cell in cells.values()} for cells in rows.values()]
    changed = sum("changed" in each for each in kinds)
    same = sum(each <= {"same", "not applicable"} for each in kinds)
    return (
        f"Of {len(rows)} claims that variants speak of, {same} keep their verdict in all that "
        f"decide, {changed} change it in one at least, and the others are left undecided in some."
    )
