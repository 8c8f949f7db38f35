"""Set the runs of a finished configuration against those of a reference; fail where they differ."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from largestep.common.errors import UserError
from largestep.common.files import replacing
from largestep.results import provenance, reference_numbers, tables
from largestep.results.reference_numbers import Pair
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    folder = arguments.results
    file = arguments.reference or Path("docs/reference", f"{folder.name}.json")
    runs = _runs(folder)
    if arguments.write:
        content = reference_numbers.reference(folder.name, runs, _made(folder, runs))
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as partial:
            partial.write_text("".join(_lines(content)))
        return
    pairs, notes = reference_numbers.compare(_read(file), runs)
    different = [pair for pair in pairs if not pair.agrees]
    print(f"{len(pairs) - len(different)} of {len(pairs)} quantities agree with {file}")
    for note in notes:
        print(note)
    if different:
        print(_table(different))
        raise UserError(f"{folder}: {len(different)} quantities differ from {file}")


def _runs(folder: Path) -> pd.DataFrame:
    path = folder / "metrics/runs.parquet"
    if not path.is_file():
        raise UserError(f"{path}: is missing; run the configuration named {folder.name} first")
    return tables.read(path)


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
        found["runs"][0]["experiment"]
    except FileNotFoundError as error:
        raise UserError(f"{file}: is missing; --write makes it from the runs here") from error
    except (ValueError, TypeError, LookupError) as error:
        raise UserError(f"{file}: is not a reference that --write has made") from error
    return found


def _made(folder: Path, runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Commits, libraries and machines that trained the runs, as their jobs recorded them."""
    made = []
    for name in runs["experiment"].unique():
        for log in sorted(folder.glob(f"logs/train/{name}/*.log")):
            record = provenance.read(log)
            origin = record and {key: record[key] for key in ("commit", "libraries", "machine")}
            if origin and origin not in made:
                made.append(origin)
    return made


def _lines(content: dict[str, Any]) -> Iterator[str]:
    """JSON with a line for each run, so that a change of one is a change of one line."""
    yield "{\n"
    yield f' "name": {json.dumps(content["name"])},\n'
    for key in ("made", "runs"):
        rows = ",\n".join("  " + json.dumps(row, allow_nan=False) for row in content[key])
        yield f' "{key}": [\n{rows}\n ]' + (",\n" if key == "made" else "\n")
    yield "}\n"


def _table(pairs: list[Pair]) -> str:
    rows = [
        {
            "experiment": pair.experiment,
            "stepsize": f"{pair.stepsize:g}",
            "seed": "mean" if pair.seed is None else pair.seed,
            "quantity": pair.quantity,
            "reference": _shown(pair.reference),
            "yours": _shown(pair.yours),
            "difference": _shown(pair.difference, 2),
            "tolerance": _shown(pair.tolerance, 2),
        }
        for pair in pairs
    ]
    return pd.DataFrame(rows).to_string(index=False)


def _shown(value: float | str | None, digits: int = 8) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.{digits}g}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="folder of a finished run, results/<name>")
    parser.add_argument(
        "--reference", type=Path, help="the other side; docs/reference/<name>.json if not given"
    )
    parser.add_argument("--write", action="store_true", help="make these runs the reference")
    main(run, parser)
