"""Matrix products, run by run, at the speed of the best library at hand.

For large float32 products on the CPU that is oneDNN, by the operator that torch's own compiler
calls for a linear layer: it keeps plain float32 accuracy, and is faster than torch's `@` (MKL) for
the shapes met here, most of all on AMD processors (docs/benchmarks.md). oneDNN has no float64. The
choice is by shape, dtype and device, never by a timing, which would make results depend on it.
"""

from functools import cache

import torch
from torch import Tensor

#: Multiplications from which oneDNN's faster kernels outweigh its dearer calls (measured).
_LARGE = 10**7


def product(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """a b for every run, (R, p, q) and (R, q, s) to (R, p, s); in `out`, save for oneDNN.

    On the CPU a batch is a single run, so that no run depends on another.
    """
    large = a.numel() * b.shape[2] >= _LARGE and len(a) == 1
    if large and a.device.type == "cpu" and a.dtype == torch.float32 and onednn():
        return _linear(a[0], b[0])[None]
    return torch.bmm(a, b, out=out)


@cache
def onednn() -> bool:
    """Whether this torch can call oneDNN on this machine: tried, once, on a small product."""
    a, b = torch.eye(2, 3), torch.ones(3, 2)
    try:
        return torch.equal(_linear(a, b), a @ b)
    except (AttributeError, RuntimeError):
        return False


def _linear(a: Tensor, b: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(a, b.mT, None, "none", [], "")
