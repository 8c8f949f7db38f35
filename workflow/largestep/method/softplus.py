"""ln(1 + e^z): the logistic loss of -z, and an activation."""


def softplus(z):
    """ln(1 + e^z) and its derivative sigmoid(z), stable for every z in every dtype (tensors)."""
    import torch

    # The default threshold, 20, is exact to 2e-9 only.
    return torch.nn.functional.softplus(z, threshold=40), z.sigmoid()
