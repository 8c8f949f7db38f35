"""Intervals: of a mean over seeds, and of a slope fitted through several runs."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95


def half_interval(values: Sequence[float]) -> float:
    """Half the width of the mean's 95% interval, by Student's t; inf for a single value."""
    n = len(values)
    if n < 2:
        return math.inf
    return _quantile(n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)


def log_log_slope(groups: Sequence[tuple[Sequence[float], Sequence[float]]]) -> tuple[float, float]:
    """Slope of log y against log x, common to groups (x, y) that differ in height.

    Returns it with half the width of its 95% interval, from what the line leaves over: seeds
    that differ, and a curve that bends. inf where there are too few points to know.
    """
    logs = [(np.log(x), np.log(y)) for x, y in groups]
    x = np.concatenate([a - a.mean() for a, _ in logs])
    y = np.concatenate([b - b.mean() for _, b in logs])
    slope = float(x @ y / (x @ x))
    freedom = len(x) - len(groups) - 1
    if freedom < 1:
        return slope, math.inf
    variance = float(np.sum((y - slope * x) ** 2)) / freedom
    return slope, _quantile(freedom) * math.sqrt(variance / float(x @ x))


def _quantile(freedom: int) -> float:
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
