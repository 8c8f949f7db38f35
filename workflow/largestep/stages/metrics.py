"""Join the tables of all train jobs into one table."""

import argparse
from pathlib import Path

import pyarrow as pa

from largestep.results import tables
from largestep.stages import outcome
from largestep.stages.command import main

SCHEMAS = {
    "trajectories": tables.TRAJECTORIES,
    "runs": tables.RUNS,
    "neurons": tables.NEURONS,
}


def run(arguments: argparse.Namespace) -> None:
    sharpness, flow, geometry = (
        {path.parts[-2:]: path for path in paths}  # by experiment and job
        for paths in (arguments.sharpness, arguments.flow, arguments.geometry)
    )

    def load(path: Path) -> pa.Table:
        part, job = tables.load(path), path.parts[-2:]
        if job in sharpness:
            part = tables.with_sharpness(part, tables.read(sharpness[job]))
        if job in flow:
            part = tables.with_flow(part, tables.read(flow[job]))
        if job in geometry:
            part = tables.with_geometry(part, tables.read(geometry[job]))
        return part

    tables.concat(map(load, arguments.parts), SCHEMAS[arguments.table], arguments.out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", required=True, choices=SCHEMAS)
    parser.add_argument("--parts", required=True, type=Path, nargs="+", help="their tables")
    parser.add_argument(
        "--sharpness", type=Path, nargs="*", default=[], help="to fill trajectories from"
    )
    parser.add_argument("--flow", type=Path, nargs="*", default=[], help="likewise")
    parser.add_argument("--geometry", type=Path, nargs="*", default=[], help="likewise")
    parser.add_argument("--out", required=True, type=Path)
    inputs = ["parts", "sharpness", "flow", "geometry"]
    main(run, parser, reads=inputs, writes=["out"], says=outcome.rows)
