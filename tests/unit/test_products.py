import pytest
import torch

from largestep.products import onednn, product

dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def operands(runs, p, q, s, dtype):
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(runs, p, q, generator=generator, dtype=dtype)
    b = torch.randn(runs, q, s, generator=generator, dtype=dtype)
    return a, b


@dtypes
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 3072, 40), (500, 3072, 40), (40, 1000, 3072), (65, 17, 33)]
)
@pytest.mark.parametrize("runs", [1, 3])
def test_products_have_the_accuracy_of_the_dtype(shape, runs, dtype):
    a, b = operands(runs, *shape, dtype)
    out = product(a, b, out=a.new_empty(runs, shape[0], shape[2]))
    expected = a.double() @ b.double()
    error = (out.double() - expected).norm() / expected.norm()
    assert error < 16 * torch.finfo(dtype).eps


@dtypes
def test_transposed_operands(dtype):
    a, b = operands(1, 300, 200, 300, dtype)
    out = a.new_empty(1, 300, 300)
    found = product(a.mT.contiguous().mT, b.mT.contiguous().mT, out=out)
    torch.testing.assert_close(found, a @ b, rtol=1e-4, atol=1e-4)


def test_products_work_without_onednn(monkeypatch):
    a, b = operands(1, 300, 200, 300, torch.float32)
    monkeypatch.setattr("largestep.products.onednn", lambda: False)
    assert torch.equal(product(a, b, out=a.new_empty(1, 300, 300)), torch.bmm(a, b))


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")
def test_this_torch_offers_onednn():
    assert onednn()
