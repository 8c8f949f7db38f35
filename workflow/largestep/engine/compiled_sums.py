"""Inner products of large arrays, compiled: one pass, no copy, in float64, in a fixed order."""

import numpy as np
from numba import njit, types

#: Partial sums side by side: four vectors of the widest unit, so that additions do not wait.
_LANES = 32


def _inner(a, b, sums):
    """sums[r] = sum_k a[r, k] b[r, k]; a and b (R, K), in float32 or float64, sums (R,) float64.

    A product of two numbers in float32 is exact in float64.
    """
    runs, size = a.shape
    whole = size - size % _LANES
    for r in range(runs):
        partial = np.zeros(_LANES)
        for k in range(0, whole, _LANES):
            for lane in range(_LANES):
                partial[lane] += np.float64(a[r, k + lane]) * np.float64(b[r, k + lane])
        for k in range(whole, size):
            partial[k - whole] += np.float64(a[r, k]) * np.float64(b[r, k])
        sums[r] = 0
        for lane in range(_LANES):
            sums[r] += partial[lane]


inner = njit(
    [(each[:, ::1], each[:, ::1], types.float64[::1]) for each in (types.float64, types.float32)],
    cache=True,
    error_model="numpy",
)(_inner)
