"""Matrix products of many runs, at the speed of the best library at hand.

Most of the work of a step is rows of a run (its neurons) times a matrix that all runs share. One
product of the rows of all runs reads that matrix once, and is up to twice as fast as one product
per run. A run's numbers stay those of a product of its own, bit for bit: runs are stacked only
where the library was found to work like that (`_stackable`). NumPy's bits do not depend on where
the operands lie in memory; those of torch's `mm` do (MKL, unless aligned to 16 bytes).

The library is chosen by shape, dtype, device and instruction set, never by a timing, which would
make results depend on it. On the CPU (measured, docs/benchmarks.md) large products are NumPy's,
OpenBLAS as a rule. In float32 on a processor with AVX-512 they are oneDNN's, by the operator that
torch's own compiler calls for a linear layer, with plain float32 accuracy; with AVX2 alone oneDNN
takes twice as long as OpenBLAS for half of them. Small ones are torch's, run by run.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

#: Multiplications from which faster kernels outweigh dearer calls (measured).
LARGE = 10**7

#: Numbers in the widest vector, in float64.
_VECTOR = 8

#: Bytes to which a tensor of its own is aligned.
_LINE = 64

#: Rows of a run from which its own product is as fast as a stack's (measured).
_TALL = 128


class Shared:
    """A matrix (q, s) that all runs share, step after step."""

    def __init__(self, matrix: Tensor):
        self.matrix = matrix

    @cached_property
    def padded(self) -> Tensor:
        """With columns of zeros, to whole vectors of the processor: columns left over have kernels
        of their own, by which products done together would differ from one alone."""
        missing = -self.matrix.shape[1] % _VECTOR
        return torch.nn.functional.pad(self.matrix, (0, missing)) if missing else self.matrix

    @cached_property
    def packed(self) -> Tensor:
        """As oneDNN lays it out for a product: up to a fifth of the product's time, once; the
        product has the same bits (measured)."""
        return _pack(self.matrix)

    def times(self, rows: Tensor, out: Tensor) -> None:
        """rows (k, q) times the matrix into out (k, s), on the CPU, by the library for large
        products."""
        if self.matrix.dtype == torch.float32 and onednn():
            out.copy_(_linear(rows, self.packed))
        elif self.padded is self.matrix:
            _numpy(rows, self.matrix, out)
        else:
            out.copy_(_numpy(rows, self.padded)[:, : out.shape[1]])


class Product(NamedTuple):
    """rows (R, m, q) times the shared matrix (q, s); goes into out (R, m, s), contiguous."""

    rows: Tensor
    shared: Shared
    out: Tensor


def multiply(products: Sequence[Product]) -> None:
    """Do products of equal shapes with one and the same matrix, as one product where possible."""
    rows, (shared, *_), outs = zip(*products, strict=True)
    matrix = shared.matrix
    _, m, q = rows[0].shape
    size = (m, q, matrix.shape[1])
    if matrix.device.type == "cuda":
        for each, out in zip(rows, outs, strict=True):
            torch.bmm(each.flatten(0, 1)[None], matrix[None], out=out.flatten(0, 1)[None])
        return
    runs = sum(map(len, rows))
    if math.prod(size) < LARGE:
        for each, out in _runs(rows, outs):
            # A batch of one: torch's `mm` takes longer for the small ones (measured).
            if each.data_ptr() % _LINE or out.data_ptr() % _LINE:
                out.copy_(torch.bmm(each.clone()[None], matrix[None])[0])
            else:
                torch.bmm(each[None], matrix[None], out=out[None])
        return
    turned, threads = not matrix.is_contiguous(), torch.get_num_threads()
    if runs == 1 or m >= _TALL or not _stackable(runs, *size, matrix.dtype, turned, threads):
        for each, out in _runs(rows, outs):
            shared.times(each, out)
    elif len(rows) == 1:
        shared.times(rows[0].flatten(0, 1), outs[0].flatten(0, 1))
    else:
        result = matrix.new_empty(runs * m, size[2])
        shared.times(torch.cat(rows).flatten(0, 1), result)
        for out, part in zip(outs, result.split([out.shape[0] * m for out in outs]), strict=True):
            out.copy_(part.view_as(out))


def _runs(rows: Sequence[Tensor], outs: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Run by run, (m, q) and (m, s)."""
    for each, out in zip(rows, outs, strict=True):
        yield from zip(each, out, strict=True)


@cache
def _stackable(
    runs: int, m: int, q: int, s: int, dtype: torch.dtype, turned: bool, threads: int
) -> bool:
    """Whether `runs` products (m, q) times (q, s) have the same bits when done as one.

    That is tried, once, on random numbers: bits depend on the order of the library's operations,
    which these arguments determine, not on the values. One other order changes a number in two
    out of three trials or more, and kernels may differ in a single number of a run (measured), so
    there are several trials. turned: the matrix is a transpose.
    """
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    shared = Shared(random(s, q).T if turned else random(q, s))
    together, alone = torch.empty(runs, m, s, dtype=dtype), torch.empty(m, s, dtype=dtype)
    for _ in range(max(4, min(100, 10**9 // (runs * m * q * s)))):
        rows = random(runs, m, q)
        shared.times(rows.flatten(0, 1), together.flatten(0, 1))
        for each, result in zip(rows, together, strict=True):
            shared.times(each.clone(), alone)
            if not torch.equal(alone, result):
                return False
    return True


def product(a: Tensor, b: Tensor, out: Tensor) -> None:
    """out = a b for every run: (R, p, q) and (R, q, s) to (R, p, s)."""
    if a.device.type == "cpu" and len(a) == 1 and a.numel() * b.shape[2] >= LARGE:
        out[0].copy_(_multiplier(a.dtype)(a[0], b[0]))
    else:
        torch.bmm(a, b, out=out)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """a b, of which either may be a batch; two large matrices by the library for such."""
    if a.device.type == "cpu" and a.dim() == b.dim() == 2 and a.numel() * b.shape[1] >= LARGE:
        return _multiplier(a.dtype)(a, b)
    return a @ b


def run_by_run(rows: Tensor, matrix: Tensor) -> Tensor:
    """rows (R, m, q) times the matrix (q, s), now and then; on the CPU as if a run were alone."""
    if rows.device.type != "cpu":
        return torch.matmul(rows, matrix)
    return torch.stack([matmul(run.clone(), matrix) for run in rows])


def gram(X: Tensor) -> Tensor:
    """X X^T: half the multiplications on the CPU, where NumPy knows the result as symmetric."""
    return _numpy(X, X.T) if X.device.type == "cpu" else X @ X.T


def _multiplier(dtype: torch.dtype) -> Callable[[Tensor, Tensor], Tensor]:
    """What does large products on the CPU."""
    return (lambda a, b: _linear(a, b.mT)) if dtype == torch.float32 and onednn() else _numpy


@cache
def onednn() -> bool:
    """Whether oneDNN is at its best here, and this torch can call it: tried on a small product."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    a, b = torch.eye(2, 3), torch.ones(3, 2)
    try:
        return torch.equal(_linear(a, b.mT), a @ b) and torch.equal(_linear(a, _pack(b)), a @ b)
    except (AttributeError, RuntimeError):
        return False


def _linear(rows: Tensor, turned: Tensor) -> Tensor:
    """rows times the transpose of `turned`, which may be packed."""
    return torch.ops.mkldnn._linear_pointwise(rows, turned, None, "none", [], "")


def _pack(matrix: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(matrix.mT.contiguous(), None)


def _numpy(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    keep_threads(_blas())
    with np.errstate(all="ignore"):  # divergence is a result
        into = None if out is None else out.numpy()
        return torch.from_numpy(np.matmul(a.numpy(), b.numpy(), out=into))


def keep_threads(libraries: ThreadpoolController) -> None:
    """As many threads as torch has been given, whatever the environment says."""
    threads = torch.get_num_threads()
    for library in libraries.lib_controllers:
        if library.get_num_threads() != threads:
            library.set_num_threads(threads)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
