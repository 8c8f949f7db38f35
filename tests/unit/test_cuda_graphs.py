import pytest
import torch
from obvious import (
    ACTIVATIONS,
    LEAKY_SOFTPLUS,
    constant,
    logistic_problem,
    random_data,
    signed_head,
)

from largestep.engine.record import Watch
from largestep.engine.training import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", ["direct", "gram", "mlp", "mlp by gram"])
def test_cuda_follows_the_cpu(kind, dtype):
    n, d = (40, 60) if "gram" in kind else (60, 20)
    deep = "mlp" in kind
    X, y = random_data(n, d, dtype=dtype)
    shapes = [(8, d), (8, 8), (1, 8)] if deep else [(8, d)]
    head = None if deep else signed_head(8, dtype)
    activation = ACTIVATIONS[2] if deep else LEAKY_SOFTPLUS
    generator = torch.Generator().manual_seed(0)
    weights = [
        (torch.randn(3, *shape, generator=generator).double() / shape[1] ** 0.5).to(dtype)
        for shape in shapes
    ]
    stepsizes = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64)
    rows = {}
    for device in ("cpu", "cuda"):
        problem = logistic_problem(
            X.to(device), y.to(device), activation, head if head is None else head.to(device)
        )
        watch = Watch(torch.full((3,), 0.1, dtype=torch.float64, device=device), 0.35, 1)
        on_device = [layer.to(device) for layer in weights]
        # Two trainings, so that graphs are captured at a point that is not the first.
        half = train(problem, on_device, constant(stepsizes), 50, watch)
        rest = train(problem, on_device, constant(stepsizes), 200, watch, start=half.state)
        rows[device] = torch.cat([half.rows, rest.rows]).cpu()
    rtol = 1e-3 if dtype == torch.float32 else 1e-9
    torch.testing.assert_close(rows["cuda"], rows["cpu"], rtol=rtol, atol=rtol, equal_nan=True)
