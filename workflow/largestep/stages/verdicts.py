"""Print the verdict on every claim; fail where one is violated."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from largestep.claims.verdicts import Verdict
from largestep.common.errors import Damaged, UserError
from largestep.stages.command import main

_WIDTH = max(map(len, Verdict)) + 1


def run(arguments: argparse.Namespace) -> None:
    try:
        entries = json.loads(arguments.json.read_text())
    except ValueError as error:
        raise Damaged(arguments.json) from error
    for line in lines(entries):
        print(line.rstrip())
    violated = [entry["id"] for entry in entries if entry["verdict"] == Verdict.VIOLATED]
    if violated:
        raise UserError(f"{arguments.json}: violated: {', '.join(violated)}")


def lines(entries: list[dict[str, Any]]) -> Iterator[str]:
    """A line or two for each claim; then how many have which verdict, by origin."""
    for entry in entries:
        decided = f"{entry['decided']} of {entry['applicable']}"
        yield f"{entry['verdict']:<{_WIDTH}} {entry['id']:<37} {decided:<10} {numbers(entry)}"
        if entry["verdict"] != Verdict.HOLDS:
            yield f"{'':<{_WIDTH}} {entry['reason']}"
        if entry["violated_variants"]:
            yield f"{'':<{_WIDTH}} violated by variants: {', '.join(entry['violated_variants'])}"
    yield ""
    for origin in dict.fromkeys(entry["origin"] for entry in entries):
        found = Counter(entry["verdict"] for entry in entries if entry["origin"] == origin)
        counts = ", ".join(f"{found[verdict]} {verdict}" for verdict in Verdict if found[verdict])
        yield f"{origin:<10} {found.total()} claims: {counts}"
    beside = sum(bool(entry["violated_variants"]) for entry in entries)
    yield f"{'variants':<10} {beside} claims are violated by a variant"


def numbers(entry: dict[str, Any]) -> str:
    """Measured value and bound, where there are any."""
    if entry["measured"] is None:
        return ""
    bound = "" if entry["bound"] is None else f", bound {entry['bound']:.4g}"
    return f"{entry['measured']:.4g}{bound}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="the claims stage's output")
    main(run, parser, reads=["json"])
