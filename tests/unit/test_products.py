import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from largestep.engine.first_layer import inner
from largestep.engine.products import (
    Product,
    Shared,
    _stackable,
    gram,
    matmul,
    multiply,
    onednn,
    product,
)

dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def random(*shape, dtype):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=dtype)


def check(found, a, b):
    expected = a.double() @ b.double()
    error = (found.double() - expected).norm() / expected.norm()
    assert error < 16 * torch.finfo(found.dtype).eps


def multiplied(rows, matrix):
    """The products of runs that are done together, (R, m, s); each has tensors of its own."""
    outs = [rows.new_empty(1, rows.shape[1], matrix.shape[1]) for _ in rows]
    products, shared = zip(rows.split(1), outs, strict=True), Shared(matrix)
    multiply([Product(each.clone(), shared, out) for each, out in products])
    return torch.cat(outs)


@dtypes
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 3072, 40), (500, 3072, 40), (40, 1000, 3072), (65, 17, 33)]
)
@pytest.mark.parametrize("runs", [1, 3])
def test_products_have_the_accuracy_of_the_dtype(shape, runs, dtype):
    p, q, s = shape
    a, b = random(runs, p, q, dtype=dtype), random(runs, q, s, dtype=dtype)
    out = a.new_empty(runs, p, s)
    product(a, b, out=out)
    check(out, a, b)
    check(multiplied(a, b[0]), a, b[0])


@dtypes
def test_transposed_operands(dtype):
    a, b = random(1, 300, 200, dtype=dtype).mT, random(1, 400, 300, dtype=dtype).mT
    out = a.new_empty(1, 200, 400)
    product(a, b, out=out)
    check(out, a, b)
    check(multiplied(a, b[0]), a, b[0])


@dtypes
@pytest.mark.parametrize("n", [3, 300])
def test_a_gram_matrix_is_symmetric(n, dtype):
    X = random(n, 500, dtype=dtype)
    check(gram(X), X, X.T)
    assert torch.equal(gram(X), gram(X).T)


# Small and large; widths odd and even; columns of which kernels take the last few differently.
SHAPES = [
    (m, q, s) for m in (2, 20, 37, 40) for q, s in ((5, 9), (300, 500), (520, 800), (700, 1003))
]


@dtypes
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("shape", [*SHAPES, (130, 300, 300)], ids=str)
def test_a_product_does_not_depend_on_its_neighbours(shape, turned, dtype):
    m, q, s = shape
    rows = random(11, m, q, dtype=dtype)
    matrix = random(s, q, dtype=dtype).T if turned else random(q, s, dtype=dtype)
    alone = torch.cat([multiplied(each, matrix) for each in rows.split(1)])
    for runs in (2, 5, 11):
        assert torch.equal(multiplied(rows[:runs], matrix), alone[:runs])
    rows[1] = torch.nan
    disturbed = multiplied(rows, matrix)
    assert torch.equal(disturbed[[0, *range(2, 11)]], alone[[0, *range(2, 11)]])


def test_products_work_without_onednn(monkeypatch):
    a, b = (random(1, 300, 300, dtype=torch.float32) for _ in range(2))
    out = torch.empty(1, 300, 300)
    monkeypatch.setattr("largestep.engine.products.onednn", lambda: False)
    product(a, b, out=out)
    assert np.array_equal(out[0].numpy(), a[0].numpy() @ b[0].numpy())


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512", reason="oneDNN is not at its best here"
)
def test_this_torch_offers_onednn():
    assert onednn()


@pytest.mark.parametrize("threads", [1, 2])
def test_numpy_has_as_many_threads_as_torch(threads):
    before = torch.get_num_threads()
    a = random(1, 300, 300, dtype=torch.float64)
    with threadpool_limits(3 - threads, user_api="blas"):
        torch.set_num_threads(threads)
        multiplied(a, a[0])
        found = {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}
        torch.set_num_threads(before)
    assert found == {threads}


def test_matmul_is_the_product_whatever_the_sizes():
    a, b = random(300, 200, dtype=torch.float64), random(200, 400, dtype=torch.float64)
    expected = torch.from_numpy(a.numpy() @ b.numpy())
    assert torch.equal(matmul(a, b), expected)
    assert torch.allclose(matmul(a, b[:, :2]), expected[:, :2])
    assert torch.allclose(matmul(a, b.expand(3, -1, -1)), expected.expand(3, -1, -1))


@dtypes
@given(runs=st.integers(1, 3), rows=st.integers(1, 5), columns=st.integers(1, 70))
def test_inner_products_are_those_of_float64(runs, rows, columns, dtype):
    a, b = (random(k, runs, rows, columns, dtype=dtype)[0] for k in (1, 2))
    expected = (a.double() * b.double()).sum((1, 2))
    assert torch.allclose(inner(a, b), expected, rtol=0, atol=1e-13 * rows * columns)
    # A view of a larger array is one like any other.
    assert torch.equal(inner(a.mT, b.mT), inner(a.mT.contiguous(), b.mT.contiguous()))


@dtypes
def test_an_inner_product_does_not_depend_on_its_neighbours(dtype):
    a, b = random(7, 40, 33, dtype=dtype), random(7, 33, 40, dtype=dtype).mT
    together = inner(a, b)
    a[2] = torch.nan
    assert together[2].isfinite() and inner(a, b)[2].isnan()
    assert torch.equal(inner(a, b)[3:], together[3:])
    assert torch.equal(inner(a[5:6].clone(), b[5:6].clone())[0], together[5])


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512", reason="other vectors, other kernels"
)
@pytest.mark.parametrize("n", [1000, 1001, 1004, 1005])
def test_products_are_done_together_whatever_the_number_of_samples(n):
    assert _stackable(4, 40, n, n, torch.float64, turned=False, threads=torch.get_num_threads())
