"""`record.Running.digest`, compiled: one pass over a stretch where tensors need some forty."""

import math

from numba import njit, types

from largestep.method.compiled import compiled

#: The states that `digest` takes, in the order of its two tuples.
STEPS = (
    *("last_increase_step", "increases", "diverged_step", "separation_step"),
    "stable_phase_step",
)
VALUES = (
    *("loss_sum", "slope_sum"),
    *("largest_loss_rise", "smallest_norm_growth", "smallest_descent_ratio"),
    *("normalized_margin_peak", "gamma_a_peak", "gamma_b_peak"),
    *("normalized_margin_drawdown", "gamma_a_drawdown", "gamma_b_drawdown"),
)


@compiled
def _larger(a, b):
    """A nan wins, and stays."""
    return b if b > a or b != b else a


@compiled
def _smaller(a, b):
    return b if b < a or b != b else a


@compiled
def _draw_down(value, r, peak, drawdown):
    peak[r] = _larger(peak[r], value)
    drawdown[r] = _larger(drawdown[r], peak[r] - value)


_vector, _counts = types.float64[::1], types.int64[::1]


@njit(
    (
        *(types.float64[:, :, :], types.int64, types.float64[:, ::1]),
        *(_vector, _vector, types.float64, types.float64, types.float64, types.int64),
        *(types.UniTuple(_counts, len(STEPS)), types.UniTuple(_vector, len(VALUES))),
        types.float64[:, :, ::1],
    ),
    cache=True,
    error_model="numpy",
)
def digest(
    scalars, first, last, thresholds, stepsizes, n, tolerance, kappa, order, steps, values, sums
):
    """Take in scalars (k, 5, R) of steps first .. first + k - 1; fill sums (2, k + 1, R).

    last (R, 5): the scalars before them; steps and values: STEPS and VALUES, (R,) each.
    """
    last_increase, increases, diverged, separation, phase = steps
    loss_sum, slope_sum, rise, growth, ratio, peak, peak_a, peak_b, down, down_a, down_b = values
    sums[0, 0], sums[1, 0] = loss_sum, slope_sum
    for k in range(len(scalars)):
        t = first + k
        for r in range(len(last)):
            loss, margin, squared_norm = scalars[k, 0, r], scalars[k, 1, r], scalars[k, 2, r]
            loss_before, squared_norm_before = last[r, 0], last[r, 2]
            finite = True
            for s in range(5):
                finite &= math.isfinite(scalars[k, s, r])
            if loss > loss_before and loss > loss_before * (
                1 + tolerance * (1 + abs(math.log(loss_before)))
            ):
                increases[r] += 1
                last_increase[r] = t
            if diverged[r] < 0 and not finite:
                diverged[r] = t
            if separation[r] < 0 and margin > 0:
                separation[r] = t
            was_stable = phase[r] >= 0
            if not was_stable and loss <= thresholds[r]:
                phase[r] = t

            if finite and phase[r] >= 0:
                size = squared_norm  # the norm to the network's order
                if order == 1:
                    size = math.sqrt(squared_norm)
                elif order != 2:
                    size = squared_norm ** (order / 2)
                smooth = -math.log(loss * n)
                _draw_down(margin / size, r, peak, down)
                _draw_down(smooth / size, r, peak_a, down_a)
                _draw_down((smooth - kappa) / size, r, peak_b, down_b)
                moved = loss != loss_before or squared_norm != squared_norm_before
                if was_stable and moved:
                    fall = loss_before - loss
                    rise[r] = _larger(rise[r], -fall / loss_before)
                    more = math.sqrt(squared_norm / squared_norm_before) - 1
                    growth[r] = _smaller(growth[r], more)
                    ratio[r] = _smaller(ratio[r], fall / (stepsizes[r] * last[r, 3]))

            loss_sum[r] += loss
            slope_sum[r] += scalars[k, 4, r]
            sums[0, k + 1, r], sums[1, k + 1, r] = loss_sum[r], slope_sum[r]
            for s in range(5):
                last[r, s] = scalars[k, s, r]
