"""The largest eigenvalues of the Hessian at the snapshots of one train job."""

import argparse
from pathlib import Path

import torch

from largestep.common import array_file
from largestep.configuration.experiment import Experiment
from largestep.data import samples
from largestep.engine.device import choose_device
from largestep.graph import gpu_sharing
from largestep.results import provenance, sharpness_rows, tables
from largestep.results.checkpoint import Checkpoint
from largestep.stages import outcome
from largestep.stages.command import main
from largestep.stages.progress import Progress


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    gpu_sharing.take_one(arguments.device)
    experiment = Experiment.model_validate_json(arguments.spec)
    X, y, _, _ = samples.read(arguments.data)
    snapshots = array_file.read(arguments.snapshots)
    total = sum(len(array) for name, array in snapshots.items() if name.endswith(".steps"))
    device = choose_device(arguments.device)
    inputs = (arguments.data, arguments.runs, arguments.snapshots)
    checkpoint = Checkpoint(
        arguments.out,
        spec=arguments.spec,
        inputs=[provenance.sha256(path) for path in inputs],
        device=device.type,
        code=arguments.code,
    )
    found = sharpness_rows.along(
        experiment,
        X,
        y,
        tables.read(arguments.runs),
        snapshots,
        device,
        checkpoint,
        Progress(arguments.log, total),
    )
    tables.write(found, tables.SHARPNESS, arguments.out)
    checkpoint.clear()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the experiment as JSON")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--data", required=True, type=Path, help="a dataset stage's output")
    parser.add_argument("--runs", required=True, type=Path, help="a train stage's table of runs")
    parser.add_argument("--snapshots", required=True, type=Path, help="its kept weights")
    parser.add_argument("--out", required=True, type=Path)
    main(run, parser, reads=["data", "runs", "snapshots"], writes=["out"], says=outcome.rows)
