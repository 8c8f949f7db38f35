"""Write the report of a finished run, as a page and as Markdown."""

import argparse
import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from largestep.common.files import replacing
from largestep.common.fingerprint import closure
from largestep.configuration.config import Config
from largestep.report import markdown, page
from largestep.report.contents import Contents, Image
from largestep.results import damage, provenance, tables
from largestep.stages import outcome
from largestep.stages.command import main

STAGES = (
    *("dataset", "train", "sharpness", "flow", "geometry", "atlas"),
    *("metrics", "claims", "figure", "report"),
)


def run(arguments: argparse.Namespace) -> None:
    runs = tables.read(arguments.runs)
    images = {path: path.read_bytes() for path in arguments.figures}
    contents = Contents(
        config=Config.model_validate_json(arguments.config),
        figures={
            path.stem: Image(svg, images[path.with_suffix(".png")])
            for path, svg in images.items()
            if path.suffix == ".svg"
        },
        trajectories=tables.read(arguments.trajectories),
        runs=runs,
        facts={path.stem: json.loads(path.read_text()) for path in arguments.facts},
        times=_times(arguments.times, {path.stem for path in arguments.facts}),
        claims=json.loads(arguments.claims.read_text()),
        findings=tables.read(arguments.findings),
        machine=provenance.machine() | _gpus(runs),
        versions=provenance.versions(_libraries()),
        commit=provenance.commit(),
        finished=datetime.now(UTC),
        atlases={path.stem: _mapped(path) for path in arguments.atlases},
    )
    for path, text in (
        (arguments.html, page.html(contents)),
        (arguments.markdown, markdown.markdown(contents)),
    ):
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")


def _mapped(table: Path) -> dict[str, float | None]:
    """Numbers about an atlas; how long it took is in its job's record, not in its table."""
    statuses = tables.read(table)["status"]
    record = provenance.read(damage.log_of(table)) if damage.log_of(table) else None
    seconds = (record or {}).get("measured", {}).get("training_seconds")
    rate = len(statuses) / seconds if seconds else None
    return {"runs": len(statuses), "diverged": int((statuses == "diverged").sum()), "rate": rate}


def _times(folders: list[Path], datasets: set[str]) -> pd.DataFrame:
    """Time and memory of each job, from Snakemake's files <folder>/<rule>/<job>.tsv.

    Data sets are shared by all configurations; only those in `datasets` count.
    """
    jobs = []
    for stage in STAGES:
        for path in sorted(path for folder in folders for path in (folder / stage).rglob("*.tsv")):
            if stage != "dataset" or path.stem in datasets:
                with contextlib.suppress(ValueError):  # damaged: then nobody knows its time
                    found = pd.read_csv(
                        path, sep="\t", na_values=["-"], usecols=["s", "max_rss"], dtype=float
                    )
                    jobs.append((stage, found["s"].sum(), found["max_rss"].max()))
    return pd.DataFrame(jobs, columns=["stage", "seconds", "memory"])


def _gpus(runs: pd.DataFrame) -> dict[str, str]:
    """The GPUs of this machine, if any run used one."""
    if "cuda" not in set(runs["device"]):
        return {}
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"gpu": ", ".join(names) or "not on this machine"}


def _libraries() -> set[str]:
    return closure(*map("largestep.stages.{}".format, STAGES), registries=True)[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the configuration, as JSON")
    parser.add_argument(
        "--figures", type=Path, nargs="+", required=True, help="SVG and PNG of each"
    )
    parser.add_argument("--trajectories", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument(
        "--facts", type=Path, nargs="+", required=True, help="JSON of the data sets"
    )
    parser.add_argument(
        "--times", type=Path, nargs="*", default=[], help="folders of Snakemake's benchmarks"
    )
    parser.add_argument("--atlases", type=Path, nargs="*", default=[], help="their tables")
    parser.add_argument("--claims", type=Path, required=True, help="claims.json")
    parser.add_argument("--findings", type=Path, required=True, help="claims.parquet")
    parser.add_argument("--html", type=Path, required=True)
    parser.add_argument("--markdown", type=Path, required=True)
    inputs = ["figures", "trajectories", "runs", "facts", "atlases", "claims", "findings"]
    main(run, parser, reads=inputs, writes=["html", "markdown"], says=outcome.written)
