"""The device that a job computes on."""

import torch

from largestep.common.errors import UserError


def choose_device(name: str) -> torch.device:
    """auto | cpu | cuda as a device; raises UserError where cuda is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device: must be cpu or auto, this machine has no CUDA device (got 'cuda')")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
