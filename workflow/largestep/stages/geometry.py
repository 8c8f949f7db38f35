"""Norms, margins and the distance to a KKT point at the snapshots of one train job."""

import argparse
from pathlib import Path

import torch

from largestep.common import array_file
from largestep.configuration.experiment import Experiment
from largestep.data import samples
from largestep.engine.device import choose_device
from largestep.graph import gpu_sharing
from largestep.results import geometry_rows, tables
from largestep.stages import outcome
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    gpu_sharing.take_one(arguments.device)
    X, y, _, _ = samples.read(arguments.data)
    found = geometry_rows.along(
        Experiment.model_validate_json(arguments.spec),
        X,
        y,
        tables.read(arguments.runs),
        array_file.read(arguments.snapshots),
        choose_device(arguments.device),
    )
    tables.write(found, tables.GEOMETRY, arguments.out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the experiment as JSON")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--data", required=True, type=Path, help="a dataset stage's output")
    parser.add_argument("--runs", required=True, type=Path, help="a train stage's table of runs")
    parser.add_argument("--snapshots", required=True, type=Path, help="its kept weights")
    parser.add_argument("--out", required=True, type=Path)
    main(run, parser, reads=["data", "runs", "snapshots"], writes=["out"], says=outcome.rows)
