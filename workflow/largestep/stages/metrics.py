"""Join the tables of all train jobs into one table."""

import argparse
from pathlib import Path

from largestep import tables
from largestep.stages.command import main

SCHEMAS = {
    "trajectories": tables.TRAJECTORIES,
    "runs": tables.RUNS,
    "neurons": tables.NEURONS,
}


def run(arguments: argparse.Namespace) -> None:
    tables.concat(map(tables.load, arguments.parts), SCHEMAS[arguments.table], arguments.out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", required=True, choices=SCHEMAS)
    parser.add_argument("--parts", nargs="*", type=Path, default=[])
    parser.add_argument("--out", required=True, type=Path)
    main(run, parser, reads=["parts"], writes=["out"])
