"""Print the verdict on every claim; fail where one is violated."""

import argparse
import json
from pathlib import Path

from largestep.claims.verdicts import Verdict
from largestep.common.errors import Damaged, UserError
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    try:
        entries = json.loads(arguments.json.read_text())
    except ValueError as error:
        raise Damaged(arguments.json) from error
    for entry in entries:
        print(f"{entry['verdict']:<15} {entry['id']:<36} {numbers(entry)}".rstrip())
        if entry["verdict"] != Verdict.HOLDS:
            print(f"{'':<15} {entry['reason']}")
    violated = [entry["id"] for entry in entries if entry["verdict"] == Verdict.VIOLATED]
    if violated:
        raise UserError(f"{arguments.json}: violated: {', '.join(violated)}")


def numbers(entry: dict) -> str:
    """Measured value and bound, where there are any."""
    if entry["measured"] is None:
        return ""
    bound = "" if entry["bound"] is None else f", bound {entry['bound']:.4g}"
    return f"{entry['measured']:.4g}{bound}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="the claims stage's output")
    main(run, parser, reads=["json"])
