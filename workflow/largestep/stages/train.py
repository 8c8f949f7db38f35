"""Train an experiment's whole stepsize grid for the seeds of one job."""

import argparse
from pathlib import Path

import torch

from largestep import samples, tables
from largestep.progress import Progress
from largestep.spec import Experiment
from largestep.stages.command import main
from largestep.training import choose_device, train_grid


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    experiment = Experiment.model_validate_json(arguments.spec)
    found = train_grid(
        arguments.experiment,
        experiment,
        samples.read(arguments.data),
        arguments.seeds,
        choose_device(arguments.device),
        Progress(
            f"{arguments.experiment} seed={arguments.rows.stem}",
            experiment.train.steps,
        ),
    )
    tables.write(found.trajectories, tables.TRAJECTORIES, arguments.rows)
    tables.write(found.runs, tables.RUNS, arguments.runs)
    tables.write(found.neurons, tables.NEURONS, arguments.neurons)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", required=True, help="its name in the configuration")
    parser.add_argument("--spec", required=True, help="the experiment as JSON")
    parser.add_argument("--seeds", required=True, type=int, nargs="+")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", default=1, type=int)
    parser.add_argument("--data", required=True, type=Path, help="a dataset stage's output")
    parser.add_argument("--rows", required=True, type=Path, help="trajectories, to be written")
    parser.add_argument("--runs", required=True, type=Path, help="one row per run, to be written")
    parser.add_argument("--neurons", required=True, type=Path, help="neuron margins, to be written")
    main(run, parser)
