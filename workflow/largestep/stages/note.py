"""Write the note about a finished run, as PDF."""

import argparse
import json
from pathlib import Path

from largestep.common.files import replacing
from largestep.configuration.config import Config
from largestep.report import note
from largestep.results import provenance, tables
from largestep.stages import outcome
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    contents = note.Contents(
        config=Config.model_validate_json(arguments.config),
        figures={path.stem: path.read_bytes() for path in arguments.figures},
        sensitivity=next((path.read_bytes() for path in arguments.sensitivity), None),
        runs=tables.read(arguments.runs),
        claims=json.loads(arguments.claims.read_text()),
        machine=provenance.machine(),
        commit=provenance.commit(),
    )
    with replacing(arguments.pdf) as partial:
        partial.write_bytes(note.pdf(contents))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the configuration, as JSON")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--claims", type=Path, required=True, help="claims.json")
    parser.add_argument("--figures", type=Path, nargs="+", required=True, help="SVG of each")
    parser.add_argument("--sensitivity", type=Path, nargs="*", help="SVG, if there are variants")
    parser.add_argument("--pdf", type=Path, required=True)
    inputs = ["runs", "claims", "figures", "sensitivity"]
    main(run, parser, reads=inputs, writes=["pdf"], says=outcome.noted)
