"""Full-batch training: a whole grid of runs as one tensor program.

The engine knows nothing of files, theory or figures. A layout (layouts.py) advances all runs by
one step; `train` drives it and keeps the record. Nothing is read back from the device inside
the loop.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from largestep.engine.descent import Descent
from largestep.engine.layouts import Layout, arrange
from largestep.engine.problem import SCALARS, Problem
from largestep.engine.products import run_by_run
from largestep.engine.record import Running, Watch, row_steps, snapshot_steps

#: Columns that `train` records at each row step, in this order.
COLUMNS = (
    "loss",
    "margin",
    "normalized_margin",
    "param_norm",
    "grad_norm",
    "running_mean_loss",
    "running_mean_slope",
    "displacement",
    "cosine_to_half",
    "train_accuracy",
    "test_accuracy",
    "moving_fraction",
    "time",
    "last_stepsize",
    "evaluations",
)

_MEANS = slice(COLUMNS.index("running_mean_loss"), COLUMNS.index("running_mean_slope") + 1)

#: Run-steps whose scalars are digested at a time: enough to make calls cheap, few enough for
#: the cache (measured).
_STRETCH = 32768

#: Seconds after which `progress` is heard again.
_BREATH = 0.5


@dataclass(frozen=True)
class Trained:
    """What a finished grid leaves; R runs, S recorded steps.

    rows: (S, len(COLUMNS), R); running: quantities over all steps, each (R,);
    neurons: (S, 2, R, m), margins and norms of single neurons, where asked for;
    snapshots: the weights at snapshot_steps, one (R, S', out, in) tensor per layer on the CPU;
    state: tensors, run axis first, from which the same runs continue.
    """

    steps: list[int]
    rows: Tensor
    running: dict[str, Tensor]
    neurons: Tensor | None
    snapshot_steps: list[int]
    snapshots: list[Tensor]
    state: dict[str, Tensor]


def train(
    problem: Problem,
    weights: list[Tensor],
    descent: Descent,
    steps: int,
    watch: Watch,
    *,
    neurons: bool = False,
    snapshots: int = 0,
    progress: Callable[[int], None] = lambda step: None,
    start: dict[str, Tensor] | None = None,
) -> Trained:
    """`steps` steps w <- w - eta_t u_t of R runs at once, u_t and eta_t as their descent has it.

    weights: initial weights, one (R, out, in) tensor per layer, in the problem's dtype.
    start: the `state` of an earlier result whose runs continue; rows then begin at its step.
    snapshots: how many per decade of steps, or none.
    `progress` hears the step now and then.
    """
    first = int(start["step"][0]) if start else 0
    targets, runs = row_steps(first, steps), len(descent)
    kept = snapshot_steps(first, steps, snapshots)
    device = problem.X.device
    rows = torch.empty(len(targets), len(COLUMNS), runs, dtype=torch.float64, device=device)
    count = max(1, _memory(device) // _bytes_per_run(problem, weights))
    done = []
    for begin in range(0, runs, count):
        part = slice(begin, begin + count)
        done.append(
            _train(
                problem,
                [layer[part] for layer in weights],
                descent.part(part),
                targets,
                replace(watch, stable_threshold=watch.stable_threshold[part]),
                rows[..., part],
                neurons,
                set(kept),
                _share(progress, first, steps, begin / runs, min(count, runs - begin) / runs),
                {name: tensor[part] for name, tensor in start.items()} if start else None,
            )
        )
    running, details, layers, states = zip(*done, strict=True)
    details = torch.cat(details, dim=2) if neurons else None
    layers = [torch.cat(layer) for layer in zip(*layers, strict=True)]
    return Trained(targets, rows, _joined(running), details, kept, layers, _joined(states))


def _train(problem, weights, descent, targets, watch, rows, neurons, kept, progress, start):
    """`train` for runs that fit into memory together: fills `rows` and returns the running
    quantities, the neurons' (or None), the weights at the steps in `kept`, and the state."""
    layout = arrange(problem, weights, descent)
    stepsizes = descent.stepsizes(problem.X.device)
    running = Running(watch, stepsizes, len(problem.y), torch.finfo(problem.X.dtype).eps)
    if start:
        layout.load(start)
        running.load(start)

    length = max(32, _STRETCH // len(descent)) + 1
    series = rows.new_empty(length, len(SCALARS), len(descent))
    step = int(start["step"][0]) if start else 0
    filled, waiting, details, snapshots, pace = 0, [], [], [], 1.0

    def digest():
        """Take in series[:filled] and complete the waiting rows with running means."""
        nonlocal filled
        sums = running.digest(series[:filled], step - filled)
        for row, place, at in waiting:
            row[_MEANS] = sums[:, place] / at if at else torch.nan
        series[0] = series[filled]
        filled = 0
        waiting.clear()

    def position():
        state = {name: tensor.clone() for name, tensor in layout.state().items()}
        return state | {"squared_norm": series[filled, 2].clone()}

    layout.measure(series[0])
    half = position()
    if start:
        half = {name: start[f"half_{name}"] for name in half}
    for target, row in zip(targets, rows, strict=True):
        while step < target:
            if filled == len(series) - 1:
                digest()
            count = min(target - step, len(series) - 1 - filled, max(1, int(_BREATH / pace)))
            begun = time.perf_counter()
            layout.advance(series[filled : filled + count + 1])
            pace = (time.perf_counter() - begun) / count
            filled += count
            step += count
            progress(step)
        power_of_two = step > 1 and step & (step - 1) == 0
        earlier = half if power_of_two else None
        _observe(problem, layout, series[filled], step, watch.order, earlier, row)
        waiting.append((row, filled, step))
        if neurons:
            details.append(_neurons(problem, layout.layers()[0]))
        if step in kept:
            snapshots.append([layer.to("cpu", copy=True) for layer in layout.layers()])
        if power_of_two or step == 1:
            half = position()
    digest()

    state = layout.state() | running.state | {f"half_{name}": half[name] for name in half}
    state["step"] = torch.full((len(descent),), step, device=problem.X.device)
    total = running.copy()
    total.digest(series[:1], step)
    details = torch.stack(details) if neurons else None
    snapshots = [torch.stack(layer, dim=1) for layer in zip(*snapshots, strict=True)]
    return total.state, details, snapshots, state


def _observe(
    problem: Problem,
    layout: Layout,
    scalars: Tensor,
    step: int,
    order: int,
    half: dict[str, Tensor] | None,
    row: Tensor,
) -> None:
    """Write the recorded quantities of the measured point, but for the running means, into `row`.

    half: the state at half the step, at powers of two.
    """
    loss, margin, squared_norm, squared_grad_norm, _ = scalars
    norm, nothing = squared_norm.sqrt(), torch.full_like(loss, torch.nan)
    cosine = test_accuracy = nothing
    if half is not None:
        cosine = layout.inner(half) / (squared_norm * half["squared_norm"]).sqrt()
    if problem.test is not None:
        test_accuracy = _accuracy(layout.test_outputs(), problem.test[1])
    values = {
        "loss": loss,
        "margin": margin,
        "normalized_margin": margin / norm**order,
        "param_norm": norm,
        "grad_norm": squared_grad_norm.sqrt(),
        "running_mean_loss": nothing,
        "running_mean_slope": nothing,
        "displacement": layout.displacement(),
        "cosine_to_half": cosine,
        "train_accuracy": _accuracy(layout.outputs(), problem.y),
        "test_accuracy": test_accuracy,
        "moving_fraction": layout.moving(scalars),
    } | layout.pace(step)
    torch.stack([values[name] for name in COLUMNS], out=row)


def _accuracy(outputs: Tensor, y: Tensor) -> Tensor:
    """(R,) share of the samples with y f > 0; an output of exactly 0 is wrong."""
    return (outputs * y > 0).double().mean(1)


def _neurons(problem: Problem, W: Tensor) -> Tensor:
    """(2, R, m): min_i y_i sign(c_j) (x_i . w_j) / ||w_j||, and ||w_j|| (paper, Figure 4)."""
    norms = torch.linalg.vector_norm(W, dim=2)
    signed = run_by_run(W, problem.X.T) * problem.y * problem.head.sign()[:, None]
    return torch.stack([signed.amin(2) / norms, norms]).double()


def _share(progress, first: int, last: int, before: float, share: float):
    """Progress of a part of the grid as progress of the whole, in steps."""
    return lambda step: progress(round(first + before * (last - first) + share * (step - first)))


def _memory(device: torch.device) -> int:
    """Bytes that the runs in training may take together."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    return 2**31


def _bytes_per_run(problem: Problem, weights: list[Tensor]) -> int:
    """An upper estimate: weights, gradients, what the passes leave, and the runs' stacked rows."""
    hidden = len(problem.y) * sum(layer.shape[1] for layer in weights)
    return 12 * problem.X.element_size() * (hidden + sum(layer[0].numel() for layer in weights))


def _joined(parts: tuple[dict[str, Tensor], ...]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
