"""Join the tables of all train jobs into one table."""

import argparse
import sys
from pathlib import Path

import pyarrow as pa

from largestep import tables
from largestep.stages.command import main

SCHEMAS = {
    "trajectories": tables.TRAJECTORIES,
    "runs": tables.RUNS,
    "neurons": tables.NEURONS,
}


def run(arguments: argparse.Namespace) -> None:
    sharpness = {path.parts[-2:]: path for path in arguments.sharpness}  # experiment, job

    def load(path: Path) -> pa.Table:
        part, computed = tables.load(path), sharpness.get(path.parts[-2:])
        return tables.with_sharpness(part, tables.read(computed)) if computed else part

    tables.concat(map(load, arguments.parts), SCHEMAS[arguments.table], arguments.out)


def _listed(path: str) -> list[Path]:
    text = sys.stdin.read() if path == "-" else Path(path).read_text()
    return [Path(line) for line in text.splitlines() if line]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", required=True, choices=SCHEMAS)
    parser.add_argument(
        "--parts", required=True, type=_listed, help="a file that lists them, one a line; -: stdin"
    )
    parser.add_argument(
        "--sharpness", default=[], type=_listed, help="likewise, to fill trajectories from"
    )
    parser.add_argument("--out", required=True, type=Path)
    main(run, parser, reads=["parts", "sharpness"], writes=["out"])
