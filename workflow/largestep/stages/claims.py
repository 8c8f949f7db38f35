"""Judge every claim on the finished runs of a configuration."""

import argparse
import json
from pathlib import Path

from largestep.claims import ledger
from largestep.claims.registered import CLAIMS
from largestep.common.files import replacing
from largestep.configuration.config import Config
from largestep.results import tables
from largestep.stages import outcome
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    config = Config.model_validate_json(arguments.config)
    results = (arguments.trajectories, arguments.runs, arguments.neurons)
    data = {path.stem: path for path in arguments.data}
    found = ledger.judge(CLAIMS, ledger.studies(config, *results, data))
    tables.write(ledger.table(found, config), ledger.FINDINGS, arguments.parquet)
    entries = [ledger.entry(claim, found[claim.id], config) for claim in CLAIMS]
    with replacing(arguments.json) as partial:
        partial.write_text(json.dumps(entries, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the configuration, as JSON")
    parser.add_argument("--trajectories", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--neurons", type=Path, required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="<key>.safetensors")
    parser.add_argument("--json", type=Path, required=True, help="one entry per claim")
    parser.add_argument("--parquet", type=Path, required=True, help="one row per finding")
    inputs, outputs = ["trajectories", "runs", "neurons", "data"], ["json", "parquet"]
    main(run, parser, reads=inputs, writes=outputs, says=outcome.judged)
