"""Train an experiment's whole stepsize grid for the seeds of one job."""

import argparse
import hashlib
import sys
from pathlib import Path

import torch

from largestep.common import array_file
from largestep.common.files import replacing
from largestep.configuration.experiment import Experiment
from largestep.data import samples
from largestep.engine.device import choose_device
from largestep.graph import gpu_sharing
from largestep.results import run_rows, tables
from largestep.results.store import Store
from largestep.results.train_job import Grid, train_grid
from largestep.stages import outcome
from largestep.stages.command import main
from largestep.stages.progress import Progress


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    if arguments.device != "cpu":
        gpu_sharing.take_one()
    experiment = Experiment.model_validate_json(arguments.spec)
    data, device = samples.read(arguments.data), choose_device(arguments.device)
    grid = Grid.of(experiment, data, arguments.seeds, device, arguments.threads)
    # Compiled passes are made for fixed output weights alone.
    parts = (grid.model.activation, grid.loss) if grid.model.head is not None else ()
    for part in parts:
        if part.scalar() is None:
            print(f"{part.name}: has no compiled code, the library trains it", file=sys.stderr)
    keys = grid.keys(hashlib.sha256(arguments.data.read_bytes()).hexdigest())
    progress = Progress(arguments.log, grid.steps)
    runs = train_grid(grid, keys, Store(arguments.store), progress)

    identity = run_rows.identify(arguments.experiment, experiment, grid)
    tables.write(run_rows.trajectories(identity, runs), tables.TRAJECTORIES, arguments.rows)
    tables.write(run_rows.summaries(identity, grid, keys, runs), tables.RUNS, arguments.runs)
    tables.write(run_rows.neurons(identity, grid, runs), tables.NEURONS, arguments.neurons)
    with replacing(arguments.snapshots) as partial:
        partial.write_bytes(array_file.to_bytes(run_rows.snapshots(keys, runs)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", required=True, help="its name in the configuration")
    parser.add_argument("--spec", required=True, help="the experiment as JSON")
    parser.add_argument("--seeds", required=True, type=int, nargs="+")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", default=1, type=int)
    parser.add_argument("--data", required=True, type=Path, help="a dataset stage's output")
    parser.add_argument("--store", required=True, type=Path, help="folder of finished runs")
    parser.add_argument("--rows", required=True, type=Path, help="trajectories, to be written")
    parser.add_argument("--runs", required=True, type=Path, help="one row per run, to be written")
    parser.add_argument("--neurons", required=True, type=Path, help="neuron margins, likewise")
    parser.add_argument("--snapshots", required=True, type=Path, help="kept weights, likewise")
    outputs = ["rows", "runs", "neurons", "snapshots"]
    main(run, parser, reads=["data"], writes=outputs, says=outcome.trained)
