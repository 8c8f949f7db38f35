"""Full-batch gradient descent on the logistic loss: a whole grid of runs as one tensor program.

The engine knows nothing of files, theory or figures. A layout (layouts.py) advances all runs by
one step; `train` drives it and keeps the record. Nothing is read back from the device inside
the loop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from largestep.layouts import SCALARS, Layout, Problem, arrange, inner, squares
from largestep.record import Running, Watch, row_steps

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
)

_SERIES_BYTES = 2**26


@dataclass(frozen=True)
class Trained:
    """What a finished grid leaves; R runs, S recorded steps.

    rows: (S, len(COLUMNS), R); running: quantities over all steps, each (R,);
    neurons: (S, 2, R, m), margins and norms of single neurons, where asked for;
    state: tensors, run axis first, from which the same runs continue.
    """

    steps: list[int]
    rows: Tensor
    running: dict[str, Tensor]
    neurons: Tensor | None
    state: dict[str, Tensor]


def train(
    problem: Problem,
    weights: list[Tensor],
    stepsizes: Tensor,
    steps: int,
    watch: Watch,
    *,
    neurons: bool = False,
    progress: Callable[[int], None] = lambda step: None,
    start: dict[str, Tensor] | None = None,
) -> Trained:
    """Gradient descent w <- w - stepsize * grad L(w), `steps` times, for R runs at once.

    weights: initial weights, one (R, out, in) tensor per layer, in the problem's dtype.
    stepsizes: (R,) float64, the steps taken. start: the `state` of an earlier result whose
    runs continue; rows then begin at its step. `progress` hears the step now and then.
    """
    layout = arrange(problem, weights, stepsizes)
    running = Running(watch, stepsizes, len(problem.y), torch.finfo(problem.X.dtype).eps)
    first, half = 0, weights
    if start:
        first = int(start["step"][0])
        layout.load(start)
        running.load(start)
        half = [start[f"half{k}"] for k in range(len(weights))]

    targets = row_steps(first, steps)
    rows = stepsizes.new_empty(len(targets), len(COLUMNS), len(stepsizes))
    single_neurons = []
    longest = max((b - a for a, b in pairwise(targets)), default=1)
    capacity = max(1, min(longest, _SERIES_BYTES // (8 * len(SCALARS) * len(stepsizes))))
    series = rows.new_empty(capacity + 1, len(SCALARS), len(stepsizes))
    layout.measure(series[0])
    step = first
    for target, row in zip(targets, rows, strict=True):
        while step < target:
            count = min(target - step, capacity)
            for i in range(1, count + 1):
                layout.update()
                layout.measure(series[i])
            running.digest(series[:count], step)
            series[0] = series[count]
            step += count
            progress(step)
        values = _observe(problem, layout, series[0], running, step)
        values |= _directions(layout.layers(), weights, half, step)
        torch.stack([values[name] for name in COLUMNS], out=row)
        if neurons:
            single_neurons.append(_neurons(problem, layout.layers()[0]))
        if step and step & (step - 1) == 0:
            half = [layer.clone() for layer in layout.layers()]

    state = layout.state() | running.state | {f"half{k}": layer for k, layer in enumerate(half)}
    state["step"] = torch.full(stepsizes.shape, steps)
    total = running.copy()
    total.digest(series[:1], steps)
    details = torch.stack(single_neurons) if neurons else None
    return Trained(targets, rows, total.state, details, state)


def _observe(
    problem: Problem, layout: Layout, scalars: Tensor, running: Running, step: int
) -> dict[str, Tensor]:
    """Recorded quantities of the measured point, each (R,)."""
    loss, margin, squared_norm, squared_grad_norm, _ = scalars
    norm = squared_norm.sqrt()
    test_accuracy = torch.full_like(loss, torch.nan)
    if problem.test is not None:
        test_accuracy = _accuracy(layout.test_outputs(), problem.test[1])
    return {
        "loss": loss,
        "margin": margin,
        "normalized_margin": margin / norm**running.watch.order,
        "param_norm": norm,
        "grad_norm": squared_grad_norm.sqrt(),
        "running_mean_loss": running.state["loss_sum"] / step if step else loss * torch.nan,
        "running_mean_slope": running.state["slope_sum"] / step if step else loss * torch.nan,
        "train_accuracy": _accuracy(layout.outputs(), problem.y),
        "test_accuracy": test_accuracy,
        "moving_fraction": _moving_fraction(layout, running.stepsizes),
    }


def _directions(
    layers: list[Tensor], initial: list[Tensor], half: list[Tensor], step: int
) -> dict[str, Tensor]:
    """||w_t - w_0||, and the cosine of w_t and w_{t/2} where t is a power of two; each (R,)."""
    moved = sum(squares(now - then) for now, then in zip(layers, initial, strict=True))
    cosine = torch.full_like(moved, torch.nan)
    if step > 1 and step & (step - 1) == 0:
        product = sum(inner(now, then) for now, then in zip(layers, half, strict=True))
        cosine = product / (sum(map(squares, layers)) * sum(map(squares, half))).sqrt()
    return {"displacement": moved.sqrt(), "cosine_to_half": cosine}


def _accuracy(outputs: Tensor, y: Tensor) -> Tensor:
    """(R,) share of the samples with y f > 0; an output of exactly 0 is wrong."""
    return (outputs * y > 0).double().mean(1)


def _moving_fraction(layout: Layout, stepsizes: Tensor) -> Tensor:
    """(R,) share of the weights that the next update changes in their dtype."""
    moving, count = torch.zeros_like(stepsizes), 0
    for layer, grad in zip(layout.layers(), layout.gradients(), strict=True):
        after = layer - grad * stepsizes.to(layer.dtype)[:, None, None]
        moving += (after != layer).sum((1, 2))
        count += layer[0].numel()
    return moving / count


def _neurons(problem: Problem, W: Tensor) -> Tensor:
    """(2, R, m): min_i y_i sign(c_j) (x_i . w_j) / ||w_j||, and ||w_j|| (paper, Figure 4)."""
    norms = torch.linalg.vector_norm(W, dim=2)
    signed = (W @ problem.X.T) * problem.y * problem.head.sign()[:, None]
    return torch.stack([signed.amin(2) / norms, norms]).double()
