"""Rehash what is in results/ against the record of what each stage read and wrote."""

import argparse
from pathlib import Path

from largestep.common.errors import UserError
from largestep.results import provenance
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    logs = sorted(arguments.results.rglob("logs/**/*.log"))
    if not logs:
        raise UserError(f"{arguments.results}: holds no results yet")
    wrong = provenance.verify(logs)
    if wrong:
        raise UserError("\n".join(wrong))
    print(f"{arguments.results}: the files of {len(logs)} jobs are as their stages wrote them")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    main(run, parser)
