"""What a direction or a stepsize policy may look at."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Point:
    """The current points of R runs: tensors of shape (R,), float64.

    t: the number of steps taken so far; slope: mean_i -l'(y_i f_i).
    sharpness: the largest eigenvalue of the Hessian of the loss, for a policy that needs it.
    """

    t: Any
    loss: Any
    margin: Any
    squared_norm: Any
    squared_grad_norm: Any
    slope: Any
    sharpness: Any = None
