"""Memory, time and GPUs that a train job asks a cluster for, from the shape of its grid.

A request must not be too small (SLURM kills the job) and should not be far too large (it waits
longer in the queue), so these are estimates with a stated margin, and grow when a job is tried
again. A job that ran out of time continues from its last checkpoint.

The constants were measured on a two-core x86-64 machine; tests/unit/test_resources.py compares
the memory with real jobs. Those for CUDA are assumptions, deliberately low.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from largestep.configuration.experiment import Experiment
from largestep.method.directions.direction import Direction
from largestep.method.losses.loss import Loss
from largestep.method.models.model import Model
from largestep.method.policies.policy import Policy

MB = 2**20

#: Resident memory of a train job on XOR: Python, torch, numba, pyarrow, the scalars of some
#: thousand steps (measured: 460 to 500 MiB with a CPU build of torch, 740 to 780 with the one that
#: brings CUDA, which takes a few GB of the host's memory where it is used); and of the two
#: processes of Snakemake that a node counts as the job's (105 MiB each, with 10,000 jobs).
BASE_BYTES, BASE_CUDA_BYTES = 780 * MB, 4200 * MB

#: Bytes in the tables for a recorded step of a run (measured: 460), and for each of its neurons.
ROW_BYTES, NEURON_BYTES = 700, 250

#: Floating-point operations per second of one core in float64: a third of what was measured.
CPU_RATE = 4e9

#: Seconds per run and step that a tensor library spends on its calls (measured: 2e-4).
CPU_CALL = 3e-4

#: Seconds to keep a finished run in the store (measured: 2e-2).
KEEP = 3e-2

#: The same as the rate and the calls for CUDA, where all runs of a grid share the calls (assumed).
CUDA_RATE, CUDA_CALL = 1e12, 1e-3

#: Start of Snakemake, Python and torch on a node with a slow file system, in seconds (measured
#: 4 to 7 on a local disk).
START = 60.0

#: Start and end of a train job on a local disk (measured, two at a time on two cores: 6 to 8).
LOCAL_START = 7.0

#: Estimates are multiplied by these, and again by the number of the attempt.
MEMORY_MARGIN, TIME_MARGIN = 1.5, 3.0

#: Nothing asks for more, in minutes; a longer job continues from a checkpoint when tried again.
LONGEST = 24 * 60

#: Weights up to which the whole Hessian is made (engine/sharpness.py).
WHOLE = 128

#: A job below these bounds is small: several go into one submission.
SMALL_MINUTES, SMALL_MB = 15, 2000


#: Where a machine has NVIDIA GPUs. `device: auto` takes a GPU where the graph is started on one;
#: a cluster's nodes show a job only what it asked for.
_DRIVER = Path("/dev/nvidiactl")


@dataclass(frozen=True)
class Shape:
    """A grid of R runs: samples n, dimension d, test samples, and what is done with them.

    policy: one of the runs'.
    """

    model: Model
    loss: Loss
    direction: Direction
    policy: Policy
    n: int
    d: int
    tests: int
    runs: int
    steps: int
    itemsize: int
    neurons: bool
    snapshots: int
    cuda: bool
    threads: int

    @classmethod
    def of(
        cls,
        experiment: Experiment,
        samples: tuple[int, int, int],
        seeds: int,
        device: str,
        threads: int,
    ) -> "Shape":
        """The grid of one job that trains `seeds` seeds. samples: the data set's `shape`.

        Of several methods, all runs, as if by the one whose direction takes most.
        """
        train = experiment.train
        factor = experiment.model.stepsize_per_eta
        method = min(train.methods or (train,), key=lambda method: method.direction.plain)
        n, d, tests = samples
        return cls(
            experiment.model,
            train.loss,
            method.direction,
            method.policies(factor)[0],
            n,
            d,
            tests,
            runs=seeds * len(experiment.policies),
            steps=train.steps,
            itemsize=4 if train.dtype == "float32" else 8,
            neurons=train.record.neurons,
            snapshots=_snapshots(train.steps, train.record.snapshots),
            cuda=device == "cuda" or (device == "auto" and _DRIVER.exists()),
            threads=threads,
        )

    @cached_property
    def weights(self) -> int:
        """Trained weights of one run."""
        return sum(out * into for out, into in self.model.layer_shapes(self.d))

    @property
    def first(self) -> int:
        """Neurons of the first layer."""
        return self.model.layer_shapes(self.d)[0][0]

    @property
    def condensed(self) -> "Shape":
        """The first layer in coordinates of the samples' span (engine/hessian.py)."""
        return replace(self, d=min(self.n, self.d))

    @property
    def products(self) -> int:
        """Hessian-vector products of one run's step, each as dear as two gradients."""
        wanted = self.policy.products if self.policy.needs_sharpness else 0
        return min(wanted, self.weights)

    @property
    def gram(self) -> bool:
        """Whether the first layer is iterated by its pre-activations (engine/first_layer.py)."""
        return self.direction.plain and self.n < 2 * self.d


def gpus(shape: Shape) -> int:
    """One for a job on CUDA, none for a job on the CPU."""
    return int(shape.cuda)


def memory(shape: Shape, attempt: int = 1) -> int:
    """Megabytes of the host's memory.

    Derived by counting arrays: samples as read, hashed and converted, and both ways as a library
    packs them for its products; the Gram matrices where they are used, packed too, and what of the
    first layer a run then has besides; per run the weights (now, at first, at half time, gradient,
    checkpoint and temporaries), those that it keeps (four times: in training, in the store, in the
    job's file, and as its bytes) and its hidden units' outputs, before and after a product that
    runs share, whose temporaries exist for one run at a time on the CPU and for all at once on
    CUDA, on the device; the tables; for a policy that needs the sharpness, in float64, each run's
    eigenvector and the Lanczos vectors of one run at a time.
    """
    rows = shape.n + shape.tests
    samples = rows * shape.d * (3 * 8 + 3 * shape.itemsize)
    gram = rows * shape.itemsize * (2 * shape.n + 8 * shape.first * shape.runs) if shape.gram else 0
    hidden = [out for out, _ in shape.model.layer_shapes(shape.d)]
    hidden_outputs = shape.itemsize * rows * sum(hidden) * (4 * shape.runs + 6)
    weights = shape.itemsize * (8 + 4 * shape.snapshots) * shape.weights * shape.runs
    per_row = ROW_BYTES + (NEURON_BYTES * shape.model.m if shape.neurons else 0)
    tables = per_row * _recorded(shape.steps) * shape.runs
    base = BASE_CUDA_BYTES if shape.cuda else BASE_BYTES
    total = base + samples + gram + hidden_outputs + weights + tables + _lanczos(shape)
    return math.ceil(attempt * MEMORY_MARGIN * total / MB)


def _lanczos(shape: Shape) -> int:
    """Bytes that a policy takes which needs the sharpness at every step."""
    if not shape.products:
        return 0
    vectors = 8 * shape.weights * (4 * shape.runs + 2 * shape.products + 10)
    hidden = shape.n * sum(out for out, _ in shape.model.layer_shapes(shape.d))
    return vectors + 8 * (30 * hidden + shape.n * shape.d)


def minutes(shape: Shape, attempt: int = 1) -> int:
    """Minutes of wall-clock time, at most `LONGEST`.

    Operations of one step, counted as 2 per multiplication and addition: one product with the
    Gram matrix or two with the data for a first layer, three for each other layer of an MLP.
    Products with the Hessian are taken one run after the other, on CUDA too.
    """
    seconds = START + TIME_MARGIN * (_training(shape) + KEEP * shape.runs)
    return min(LONGEST, math.ceil(attempt * seconds / 60))


def atlas_memory(batches: Sequence[Shape], attempt: int = 1) -> int:
    """Megabytes for an atlas: one batch is in training at a time, beside the rows of all runs."""
    runs = sum(shape.runs for shape in batches)
    rows = MEMORY_MARGIN * 2 * ROW_BYTES * runs / MB
    return max(memory(shape, attempt) for shape in batches) + math.ceil(attempt * rows)


def atlas_minutes(batches: Sequence[Shape], attempt: int = 1) -> int:
    """Minutes for an atlas, at most `LONGEST`; none of its runs goes to the store."""
    seconds = START + TIME_MARGIN * sum(map(_training, batches))
    return min(LONGEST, math.ceil(attempt * seconds / 60))


def atlas_work(batches: Sequence[Shape]) -> float:
    """As `work`."""
    return LOCAL_START + sum(_arithmetic(shape) * shape.steps / 3 for shape in batches)


def work(shape: Shape) -> float:
    """Seconds of a job as a progress bar weighs it: the arithmetic at the measured rate."""
    return LOCAL_START + _arithmetic(shape) * shape.steps / 3


def sharpness_memory(shape: Shape, attempt: int = 1) -> int:
    """Megabytes of the host's memory for the sharpness of a train job's snapshots.

    Derived by counting arrays: the snapshots as read and hashed; in float64 the samples, what QR
    makes of fewer of them than coordinates, Lanczos vectors, and the hidden units' outputs with
    what two passes backwards keep of them, for a tiny network's whole matrix as often as it has
    weights.
    """
    kept = 2 * shape.itemsize * shape.snapshots * shape.weights * shape.runs
    samples = 8 * shape.d * (4 * (shape.n + shape.tests) + 3 * shape.n * (shape.n < shape.d))
    hidden = shape.n * sum(out for out, _ in shape.model.layer_shapes(shape.d))
    weights = shape.condensed.weights
    columns = weights if weights <= WHOLE else 1
    passes = 8 * (40 * weights + hidden * (30 + 10 * columns))
    base = BASE_CUDA_BYTES if shape.cuda else BASE_BYTES
    return math.ceil(attempt * MEMORY_MARGIN * (base + kept + samples + passes) / MB)


def sharpness_minutes(shape: Shape, products: int, attempt: int = 1) -> int:
    """Minutes for the sharpness of a train job's snapshots, at most `LONGEST`.

    The budget of products is an upper bound already; one costs two passes of training.
    """
    each = 2 * _operations(shape)
    each = each / CUDA_RATE + CUDA_CALL if shape.cuda else each / CPU_RATE + CPU_CALL
    seconds = START + each * products * shape.snapshots * shape.runs
    return min(LONGEST, math.ceil(attempt * seconds / 60))


def flow_memory(shape: Shape, attempt: int = 1) -> int:
    """Megabytes of the host's memory for gradient flow from the initial weights of a train job.

    Derived by counting arrays, all in float64: the samples as read, hashed and converted; the
    stages and interpolants of a Runge-Kutta step; the hidden units' outputs in a pass.
    """
    samples = 4 * 8 * (shape.n + shape.tests) * shape.d
    hidden = shape.n * sum(out for out, _ in shape.model.layer_shapes(shape.d))
    base = BASE_CUDA_BYTES if shape.cuda else BASE_BYTES
    total = base + samples + 8 * (40 * shape.weights + 10 * hidden)
    return math.ceil(attempt * MEMORY_MARGIN * total / MB)


def flow_minutes(shape: Shape, gradients: int, attempt: int = 1) -> int:
    """Minutes for gradient flow, at most `LONGEST`.

    The budget of gradients is an upper bound already; each recorded step takes one more.
    """
    each = _passes(shape)
    each = each / CUDA_RATE + CUDA_CALL if shape.cuda else each / CPU_RATE + CPU_CALL
    seconds = START + each * (gradients + _recorded(shape.steps) * shape.runs)
    return min(LONGEST, math.ceil(attempt * seconds / 60))


def _training(shape: Shape) -> float:
    """Seconds that all steps of all runs take: arithmetic, and calls to the tensor library."""
    calls = CUDA_CALL if shape.cuda else CPU_CALL * shape.runs
    calls += 2 * shape.products * shape.runs * (CUDA_CALL if shape.cuda else CPU_CALL)
    return (_arithmetic(shape) + calls) * shape.steps


def _arithmetic(shape: Shape) -> float:
    """Seconds of arithmetic in a step of all runs."""
    in_float64 = CUDA_RATE if shape.cuda else CPU_RATE
    rate = in_float64 if shape.cuda else in_float64 * (8 / shape.itemsize)
    sharpness = 2 * shape.products * _passes(shape) / in_float64
    return (_operations(shape) / rate + sharpness) * shape.runs


def small(shape: Shape) -> bool:
    """Whether the job is so small that a submission of its own is not worth it."""
    light = minutes(shape) <= SMALL_MINUTES and memory(shape) <= SMALL_MB
    return light and not gpus(shape) and shape.threads == 1


def _operations(shape: Shape) -> float:
    """Floating-point operations of one run's step."""
    if not shape.gram:
        return _passes(shape)
    others = shape.weights - shape.first * shape.d
    return 2 * shape.n * (shape.n * shape.first + 3 * others) + _elementwise(shape)


def _passes(shape: Shape) -> float:
    """Floating-point operations of a gradient by the weights."""
    products = 6 if shape.model.head is None else 4
    return products * shape.n * shape.weights + _elementwise(shape)


def _elementwise(shape: Shape) -> float:
    return 50 * shape.n * sum(out for out, _ in shape.model.layer_shapes(shape.d))


def _snapshots(steps: int, per_decade: int) -> int:
    """Steps at which weights are kept, at most (engine/record.py)."""
    return math.ceil(per_decade * math.log10(steps + 1)) + 2 if per_decade else 0


def _recorded(steps: int) -> int:
    """Recorded steps, at most: 64 per decade and the powers of two (engine/record.py)."""
    return math.ceil(64 * math.log10(steps + 1)) + steps.bit_length() + 2
