"""A data set's specification -> its samples (safetensors) and the facts about them (JSON)."""

import argparse
import json
from pathlib import Path

from pydantic import TypeAdapter

from largestep.common.files import replacing
from largestep.data import AnyDataset
from largestep.stages import outcome
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    spec = TypeAdapter(AnyDataset).validate_json(arguments.spec)
    spec.check(arguments.root)
    loaded = spec.load(arguments.root)
    with replacing(arguments.out) as samples, replacing(arguments.facts) as facts:
        samples.write_bytes(loaded.to_bytes())
        facts.write_text(json.dumps(loaded.facts, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the data set in JSON")
    parser.add_argument("--root", required=True, type=Path, help="the data root")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--facts", required=True, type=Path)
    main(run, parser, writes=["out", "facts"], says=outcome.prepared)
