"""The constants of any activation, found numerically."""

import numpy as np

from largestep.method.activations.constants import Constants

#: Where extremes are sought: beyond, an activation of the theory's kind is linear to rounding.
_REACH, _POINTS = 64.0, 2**15 + 1

#: Half the distance over which the slope is divided: its truncation and rounding stay below 1e-10.
_APART = 1e-5


def constants(activation) -> Constants:
    """sup and inf over |z| <= 64 to 1e-9: the best of a grid, refined between its neighbours."""
    import torch
    from scipy.optimize import minimize_scalar

    def value_and_slope(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = activation.value_and_slope(torch.as_tensor(z, dtype=torch.float64))
        return value.numpy(), slope.numpy()

    def functions(z: np.ndarray) -> dict[str, np.ndarray]:
        value, slope = value_and_slope(z)
        bend = (value_and_slope(z + _APART)[1] - value_and_slope(z - _APART)[1]) / (2 * _APART)
        return {
            "kappa": np.abs(value - slope * z),
            "lip": np.abs(slope),
            "alpha": -slope,
            "curvature": np.abs(bend),
        }

    grid = np.linspace(-_REACH, _REACH, _POINTS)
    found = {}
    for name, values in functions(grid).items():
        best = int(values.argmax())
        around = grid[[max(best - 1, 0), min(best + 1, len(grid) - 1)]]
        refined = minimize_scalar(
            lambda z, name=name: -functions(np.array([z]))[name][0],
            bounds=around,
            method="bounded",
            options={"xatol": 1e-12},
        )
        found[name] = float(max(values[best], -refined.fun))
    return Constants(**found | {"alpha": -found["alpha"]})
