"""Train an experiment's whole stepsize grid for the seeds of one job."""

import argparse
import hashlib
import sys
from pathlib import Path

import pandas as pd
import torch

from largestep.common import array_file
from largestep.common.files import replacing
from largestep.configuration.experiment import Experiment
from largestep.data import samples
from largestep.engine.device import choose_device, keep_freed_memory
from largestep.graph import gpu_sharing
from largestep.results import run_rows, tables
from largestep.results.store import Store
from largestep.results.train_job import Grid, train_grid
from largestep.stages import outcome
from largestep.stages.command import main
from largestep.stages.progress import Progress


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    gpu_sharing.take_one(arguments.device)
    experiment = Experiment.model_validate_json(arguments.spec)
    data, device = samples.read(arguments.data), choose_device(arguments.device)
    # Compiled passes are made for fixed output weights alone.
    model = experiment.model
    for part in () if model.head is None else (model.activation, experiment.train.loss):
        if part.scalar() is None:
            print(f"{part.name}: has no compiled code, the library trains it", file=sys.stderr)
    digest = hashlib.sha256(arguments.data.read_bytes()).hexdigest()
    methods, store = experiment.apart, Store(arguments.store)
    progress = Progress(arguments.log, len(methods) * experiment.train.steps)
    rows, summaries, neurons, snapshots = [], [], [], {}
    for place, method in enumerate(methods):
        grid = Grid.of(method, data, arguments.seeds, device, arguments.threads)
        keys, before = grid.keys(digest), place * grid.steps
        runs = train_grid(grid, keys, store, lambda step, before=before: progress(before + step))
        identity = run_rows.identify(arguments.experiment, method, grid)
        rows.append(run_rows.trajectories(identity, runs))
        summaries.append(run_rows.summaries(identity, grid, keys, runs))
        neurons.append(run_rows.neurons(identity, grid, runs))
        snapshots |= run_rows.snapshots(keys, runs)
    tables.write(pd.concat(rows), tables.TRAJECTORIES, arguments.rows)
    tables.write(pd.concat(summaries), tables.RUNS, arguments.runs)
    tables.write(pd.concat(neurons), tables.NEURONS, arguments.neurons)
    with replacing(arguments.snapshots) as partial:
        partial.write_bytes(array_file.to_bytes(snapshots))


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
