"""An atlas: runs over two axes, trained batch by batch, as rows of tables.ATLAS."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch

from largestep.configuration.atlas import Atlas, Batch
from largestep.configuration.experiment import Experiment
from largestep.engine.hessian import hessian_at
from largestep.engine.movement import Movement, movement
from largestep.engine.problem import Problem
from largestep.engine.sharpness import top_eigenvalues
from largestep.results import run_rows, tables
from largestep.results.checkpoint import Checkpoint
from largestep.results.store import Run
from largestep.results.train_job import Grid, Samples, train_whole

#: Of the sharpness at the initial weights: relative tolerance, and Hessian-vector products.
_TOLERANCE, _PRODUCTS = 1e-3, 1000


class Done(NamedTuple):
    """Rows of tables.ATLAS from so many batches, and the seconds that training alone took."""

    rows: pa.Table
    batches: int
    seconds: float


def mapped(
    name: str,
    atlas: Atlas,
    base: Experiment,
    samples_of: Callable[[Experiment], tuple[Samples, str]],
    device: torch.device,
    threads: int,
    checkpoint: Checkpoint,
    progress: Callable[[int], None] = lambda runs: None,
) -> Done:
    """All runs of an atlas.

    samples_of: an experiment's data set, and the hash of its file. `progress` hears how many runs
    are done; a batch counts by its steps.
    """
    done = _load(checkpoint)
    for batch in list(atlas.batches(base))[done.batches :]:
        samples, digest = samples_of(batch.experiment)
        grid = Grid.of(batch.experiment, samples, batch.experiment.train.seeds, device, threads)
        before, pace = len(done.rows), len(batch.x) / grid.steps
        begun = time.perf_counter()
        runs = train_whole(grid, lambda step, b=before, p=pace: progress(round(b + p * step)))
        seconds = time.perf_counter() - begun
        rows = pa.concat_tables([done.rows, _rows(name, atlas, batch, grid, digest, runs)])
        done = Done(rows, done.batches + 1, done.seconds + seconds)
        checkpoint.offer(lambda found=done: _arrays(found))
    return done


def _rows(
    name: str, atlas: Atlas, batch: Batch, grid: Grid, digest: str, runs: list[Run]
) -> pa.Table:
    frame = run_rows.summaries(
        run_rows.identify(name, batch.experiment, grid), grid, grid.keys(digest), runs
    )
    frame = frame.assign(x=batch.x, y=batch.y, initial_sharpness=np.nan)
    if atlas.stepsize and batch.experiment.train.direction.plain:
        frame["initial_sharpness"] = frame["seed"].map(_sharpness(grid))
    moved = _movements(grid, runs) if atlas.moves else [Movement(*[np.nan] * 3)] * len(runs)
    for kind, values in zip(Movement._fields, zip(*moved, strict=True), strict=True):
        frame[f"{kind}_movement"] = values
    return pa.Table.from_pandas(frame, schema=tables.ATLAS, preserve_index=False)


def _sharpness(grid: Grid) -> dict[int, float]:
    """lambda_max of the loss's Hessian at each seed's initial weights, in float64."""
    X, y = (torch.as_tensor(each, dtype=torch.float64) for each in grid.samples[:2])
    problem, found = Problem.of(grid.model, grid.loss, X, y), {}
    for seed in dict.fromkeys(grid.seeds):
        layers = [torch.as_tensor(w) for w in grid.model.initial_layers(X.shape[1], seed)]
        hessian = hessian_at(problem, layers)
        found[seed] = float(top_eigenvalues(hessian, 1, _TOLERANCE, _PRODUCTS)[0])
    return found


def _movements(grid: Grid, runs: list[Run]) -> list[Movement]:
    """How far each run has moved, in float64, from the weights that it kept."""
    X = torch.as_tensor(grid.samples[0], dtype=torch.float64)
    found = []
    for run in runs:
        kept = [layer.double() for name, layer in run.snapshots.items() if name != "steps"]
        ends = ([layer[place] for layer in kept] for place in (0, -1))
        found.append(movement(grid.model, X, *ends))
    return found


def _load(checkpoint: Checkpoint) -> Done:
    if saved := checkpoint.load():
        rows = pa.ipc.open_stream(saved["rows"].tobytes()).read_all()
        return Done(rows, saved["batches"].item(), saved["seconds"].item())
    return Done(tables.ATLAS.empty_table(), 0, 0.0)


def _arrays(done: Done) -> dict[str, np.ndarray]:
    """What a checkpoint keeps."""
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, tables.ATLAS) as writer:
        writer.write_table(done.rows)
    rows = np.frombuffer(stream.getvalue(), dtype=np.uint8)
    return {"rows": rows, "batches": np.array(done.batches), "seconds": np.array(done.seconds)}
