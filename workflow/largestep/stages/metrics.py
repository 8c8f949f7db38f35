"""Join the tables of all train jobs into one table."""

import argparse
from pathlib import Path

import pyarrow.parquet as pq

from largestep import tables
from largestep.base import UserError
from largestep.stages.command import main

SCHEMAS = {
    "trajectories": tables.TRAJECTORIES,
    "runs": tables.RUNS,
    "neurons": tables.NEURONS,
}


def run(arguments: argparse.Namespace) -> None:
    tables.concat(map(_read, arguments.parts), SCHEMAS[arguments.table], arguments.out)


def _read(path: Path):
    try:
        return pq.read_table(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: is not a whole Parquet file; delete it") from error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", required=True, choices=SCHEMAS)
    parser.add_argument("--parts", nargs="*", type=Path, default=[])
    parser.add_argument("--out", required=True, type=Path)
    main(run, parser)
