"""How long a configuration takes on this machine, from a few steps of every problem's shape.

The engine that will train is timed on random numbers of the true shapes, so that nothing needs to
be downloaded or prepared first. It stays an estimate: for hours to come the machine may be busier,
or less busy, than during these seconds.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from statistics import median

import numpy as np
import torch

from largestep.common.errors import UserError
from largestep.configuration.experiment import Sharpness
from largestep.data import samples
from largestep.engine.descent import Descent
from largestep.engine.device import choose_device
from largestep.engine.gradient_flow import Landscape
from largestep.engine.hessian import hessian_at
from largestep.engine.problem import Problem
from largestep.engine.products import Shared
from largestep.engine.record import Watch
from largestep.engine.sharpness import top_eigenvalues
from largestep.engine.training import train
from largestep.graph.dag import Graph
from largestep.graph.resources import Shape
from largestep.results import provenance
from largestep.results.store import Store
from largestep.results.train_job import Grid

#: Seconds that the timing of all shapes may take together, beside a few single steps of each.
BUDGET = 6.0

#: Seconds of a job beside its steps: start of Python and torch, files (measured: 4).
START = 4.0

#: Multiplications (n times weights) of a step of the runs that are timed together. Of larger ones
#: a single run is timed, which is an upper bound: on the CPU a grid takes up to half as long a run.
_TOGETHER = 10**7

#: A step around which no other is recorded, so that a timing holds steps alone.
_FAR = 10**8 + 1


@dataclass(frozen=True)
class Forecast:
    """What an experiment or an atlas still takes: seconds of each of its jobs, of every kind.

    stored: its runs that the store holds; step: seconds of a step of one run, None where no run is
    to be trained; flow: upper bounds, since they assume that budgets are used up.
    """

    experiment: str
    runs: int
    stored: int
    steps: int
    step: float | None
    training: tuple[float, ...]
    sharpness: tuple[float, ...]
    flow: tuple[float, ...]
    cuda: bool


def forecast(graph: Graph, store: Store) -> list[Forecast]:
    """Every experiment and atlas of a configuration; those with runs to train are timed."""
    config = graph.config
    torch.set_num_threads(config.threads)
    left = {name: _left(graph, name, store) for name in config.experiments}
    shapes = {name: _shape(graph, name) for name in left}
    waiting = [name for name, jobs in left.items() if any(map(any, jobs.values()))]
    distinct = {_timed(shapes[name]) for name in waiting}
    steps = {shape: seconds_per_step(shape, BUDGET / len(distinct)) for shape in distinct}
    torch.set_num_threads(1)  # as the sharpness stage does
    snapshot, found = cache(seconds_per_snapshot), []
    for name, jobs in left.items():
        step = steps[_timed(shapes[name])] if name in waiting else None
        asked, snapshots = config.experiments[name].sharpness, shapes[name].snapshots
        unknown = [
            runs
            for job, runs in jobs.items()
            if asked and (any(runs) or not _made(graph, "sharpness", name, job))
        ]
        each = snapshot(_timed(shapes[name]), asked) if unknown else 0.0
        found.append(
            Forecast(
                experiment=name,
                runs=sum(map(len, jobs.values())),
                stored=sum(runs.count(0) for runs in jobs.values()),
                steps=shapes[name].steps,
                step=step,
                training=tuple(START + sum(runs) * step for runs in jobs.values() if any(runs)),
                sharpness=tuple(START + len(runs) * snapshots * each for runs in unknown),
                flow=_flow(graph, name, shapes[name]),
                cuda=shapes[name].cuda,
            )
        )
    return found + [_atlas(graph, name) for name in config.atlases]


def _atlas(graph: Graph, name: str) -> Forecast:
    """An atlas: its largest network is timed, the others are taken to cost as much per weight."""
    shapes = graph.atlases.shapes(name)
    shapes = [replace(s, cuda=choose_device(_device(graph, name)).type == "cuda") for s in shapes]
    largest = max(shapes, key=lambda shape: shape.n * shape.weights)
    runs, made = sum(shape.runs for shape in shapes), Path(graph.atlases.table(name)).is_file()
    step = None if made else seconds_per_step(largest, BUDGET / len(graph.atlases.all))
    size = sum(shape.runs * shape.n * shape.weights for shape in shapes)
    ratio = size / (runs * largest.n * largest.weights)
    return Forecast(
        experiment=name,
        runs=runs,
        stored=runs if made else 0,
        steps=largest.steps,
        step=step,
        training=() if made else (START + runs * largest.steps * step * ratio,),
        sharpness=(),
        flow=(),
        cuda=largest.cuda,
    )


def _device(graph: Graph, atlas: str) -> str:
    return graph.config.device_of(graph.config.atlases[atlas].of)


def wall_time(found: Iterable[Forecast], kind: str, cores: int, gpus: int) -> float:
    """Seconds until all jobs of a kind (training, sharpness, flow) are done, so many at a time.

    Jobs on cores and on GPUs run side by side; either take at least as long as the longest one.
    """
    ends = [0.0]
    for cuda, at_a_time in ((False, cores), (True, gpus)):
        jobs = [seconds for f in found if f.cuda == cuda for seconds in getattr(f, kind)]
        ends += [sum(jobs) / at_a_time, *jobs]
    return max(ends)


def seconds_per_step(shape: Shape, seconds: float) -> float:
    """Seconds of one step of one run among the shape's, from about `seconds` of training."""
    runs = shape.runs
    if not shape.cuda:
        runs = min(runs, max(1, _TOGETHER // (shape.n * shape.weights)))
    problem, layers = _problem(shape, torch.float32 if shape.itemsize == 4 else torch.float64)
    weights = [layer.repeat(runs, 1, 1) for layer in layers]
    policy = shape.policy
    if "stepsize" in policy.numeric():  # so small that numbers stay ordinary ones
        policy = policy.model_copy(update={"stepsize": 1e-6})
    descent = Descent(shape.direction, [policy] * runs)
    nothing = torch.full((runs,), torch.nan, dtype=torch.float64, device=problem.X.device)
    watch = Watch(nothing, 0.0, shape.model.order)

    state = train(problem, weights, descent, 1, watch).state  # libraries set themselves up
    state["step"] = torch.full_like(state["step"], _FAR)

    def timed(steps: int) -> float:
        return _elapsed(
            lambda: train(problem, weights, descent, _FAR + steps, watch, start=state), shape.cuda
        )

    # Both are short, and the machine may be busy with other things: medians.
    steps, once = 1, median(timed(1) for _ in range(3))
    while (more := timed(1 + steps) - once) < seconds:
        steps *= 4
    again = (timed(1 + steps) - once for _ in range(2))
    return median([more, *again]) / steps / runs


def seconds_per_snapshot(shape: Shape, asked: Sharpness) -> float:
    """Seconds of the sharpness at one snapshot, from those at random initial weights and samples.

    Later ones need as many products with the Hessian, or fewer (measured: 10 to 22 against 22 to
    26). Samples are random in their span already: QR, once a job, would take longer.
    """
    problem, layers = _problem(shape.condensed, torch.float64)

    def whole() -> None:
        found = hessian_at(problem, layers)
        top_eigenvalues(found, asked.top, asked.tolerance, asked.products)

    return _elapsed(whole, shape.cuda)


def _flow(graph: Graph, name: str, shape: Shape) -> tuple[float, ...]:
    """Seconds of each job of gradient flow, at most: with all gradients that it may use."""
    experiment = graph.config.experiments[name]
    jobs = experiment.train.jobs.items() if experiment.flow else ()
    missing = [seeds for job, seeds in jobs if not _made(graph, "flow", name, job)]
    if not missing:
        return ()
    problem, layers = _problem(shape, torch.float64)
    arrays = [layer.cpu().numpy() for layer in layers]
    landscape = Landscape(shape.model, shape.loss, problem.X, problem.y, arrays)
    w = np.concatenate([array.ravel() for array in arrays])
    each = min(_elapsed(lambda: landscape.gradient(w), shape.cuda) for _ in range(2))
    return tuple(START + len(seeds) * experiment.flow.evaluations * each for seeds in missing)


class _Sketch(Problem):
    """A problem whose Gram matrix would take longer to make than steps take to time."""

    @cached_property
    def shared_gram(self) -> Shared:
        return Shared(self.X.new_full(2 * (len(self.X),), 1 / len(self.X)))


def _problem(shape: Shape, dtype: torch.dtype) -> tuple[Problem, list[torch.Tensor]]:
    """Random samples, and the weights of one run, in the shape of the true ones."""
    device = torch.device("cuda" if shape.cuda else "cpu")

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array, dtype=dtype, device=device)

    rng = np.random.default_rng(0)
    X = rng.standard_normal((shape.n, shape.d), dtype=np.float32) / shape.d**0.5
    y = rng.choice([-1.0, 1.0], shape.n)
    problem = _Sketch.of(shape.model, shape.loss, tensor(X), tensor(y))
    return problem, [tensor(layer) for layer in shape.model.initial_layers(shape.d, 0)]


def _elapsed(work: Callable[[], object], cuda: bool) -> float:
    begun = time.perf_counter()
    work()
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def _shape(graph: Graph, name: str) -> Shape:
    """The shape of the experiment's first job."""
    experiment = graph.config.experiments[name]
    seeds = next(iter(experiment.train.jobs.values()))
    device, threads = graph.config.device_of(name), graph.config.threads
    shape = Shape.of(
        experiment, experiment.dataset.shape(graph.data_root), len(seeds), device, threads
    )
    return replace(shape, cuda=choose_device(device).type == "cuda")


def _timed(shape: Shape) -> Shape:
    """What of a shape the time of a step depends on, alike where that is alike."""
    return replace(shape, tests=0, steps=0, neurons=False, snapshots=0)


def _left(graph: Graph, name: str, store: Store) -> dict[str, list[int]]:
    """Steps still to train, for every run of every job of an experiment."""
    experiment = graph.config.experiments[name]
    settings = experiment.train
    left = {
        job: [settings.steps] * len(seeds) * len(experiment.policies)
        for job, seeds in settings.jobs.items()
    }
    path = Path("results/data", f"{experiment.dataset.key}.safetensors")
    try:
        data, digest = samples.read(path), provenance.sha256(path)
    except UserError:  # missing or damaged: the run makes it, and nothing else is known before
        return left
    device = choose_device(graph.config.device_of(name))
    for job, seeds in settings.jobs.items():
        grids = [
            Grid.of(method, data, seeds, device, graph.config.threads)
            for method in experiment.apart
        ]
        keys = [key for grid in grids for key in grid.keys(digest)]
        for place, key in enumerate(keys):
            if run := store.find(key, settings.steps):
                left[job][place] -= run.last
    return left


def _made(graph: Graph, stage: str, name: str, job: str) -> bool:
    return Path(graph.results, stage, name, f"seed={job}.parquet").is_file()
