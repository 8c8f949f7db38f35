"""Gradient flow from the initial weights of one train job's seeds."""

import argparse
from pathlib import Path

import torch

from largestep.configuration.experiment import Experiment
from largestep.data import samples
from largestep.engine.device import choose_device
from largestep.graph import gpu_sharing
from largestep.results import flow_rows, provenance, tables
from largestep.results.checkpoint import Checkpoint
from largestep.stages import outcome
from largestep.stages.command import main
from largestep.stages.progress import Progress


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    gpu_sharing.take_one(arguments.device)
    experiment = Experiment.model_validate_json(arguments.spec)
    X, y, _, _ = samples.read(arguments.data)
    seeds = experiment.train.seeds
    budget = len(seeds) * experiment.flow.evaluations
    progress = Progress(arguments.log, budget)
    device, file = choose_device(arguments.device), experiment.model.weight_file
    checkpoint = Checkpoint(
        arguments.out,
        spec=arguments.spec,
        data=provenance.sha256(arguments.data),
        weights=file and provenance.sha256(Path(file)),
        device=device.type,
        code=arguments.code,
    )
    found = flow_rows.along(experiment, X, y, seeds, device, checkpoint, progress)
    tables.write(found.assign(experiment=arguments.experiment), tables.FLOW, arguments.out)
    checkpoint.clear()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", required=True, help="its name in the configuration")
    parser.add_argument("--spec", required=True, help="the experiment as JSON")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--data", required=True, type=Path, help="a dataset stage's output")
    parser.add_argument("--out", required=True, type=Path)
    main(run, parser, reads=["data"], writes=["out"], says=outcome.rows)
