"""Train the runs of one atlas, over two axes of an experiment's numbers, and map them."""

import argparse
import hashlib
from pathlib import Path

import torch

from largestep.configuration.config import Config
from largestep.configuration.experiment import Experiment
from largestep.data import samples
from largestep.engine.device import choose_device
from largestep.graph import gpu_sharing
from largestep.results import provenance, tables
from largestep.results.atlas import mapped
from largestep.results.checkpoint import Checkpoint
from largestep.results.train_job import Samples
from largestep.stages import outcome
from largestep.stages.command import main
from largestep.stages.progress import Progress


def run(arguments: argparse.Namespace) -> dict[str, float]:
    torch.set_num_threads(arguments.threads)
    gpu_sharing.take_one(arguments.device)
    config = Config.model_validate_json(arguments.spec)
    ((name, atlas),) = config.atlases.items()
    base, device = config.experiments[atlas.of], choose_device(arguments.device)
    digest = arguments.data and provenance.sha256(arguments.data)

    def samples_of(experiment: Experiment) -> tuple[Samples, str]:
        if arguments.data:
            return samples.read(arguments.data), digest
        made = experiment.dataset.load(Path())
        own = hashlib.sha256(made.to_bytes()).hexdigest()  # of the file that it would have
        return (made.X, made.y, made.X_test, made.y_test), own

    file = base.model.weight_file
    determinants = {"spec": arguments.spec, "data": digest, "threads": arguments.threads}
    determinants |= {"device": device.type, "code": arguments.code}
    determinants |= {"weights": file and provenance.sha256(Path(file))}
    checkpoint = Checkpoint(arguments.out, **determinants)
    progress = Progress(arguments.log, atlas.runs(base))
    done = mapped(name, atlas, base, samples_of, device, arguments.threads, checkpoint, progress)
    tables.write(done.rows.to_pandas(), tables.ATLAS, arguments.out)
    checkpoint.clear()
    return {"runs": len(done.rows), "training_seconds": round(done.seconds, 2)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the atlas and its experiment, as JSON")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", default=1, type=int)
    parser.add_argument(
        "--data", type=Path, nargs="?", help="a dataset stage's output; made here if not given"
    )
    parser.add_argument("--out", required=True, type=Path)
    main(run, parser, reads=["data"], writes=["out"], says=outcome.mapped)
