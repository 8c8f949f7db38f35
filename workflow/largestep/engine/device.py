"""The device that a job computes on, and its memory."""

import ctypes

import torch

from largestep.common.errors import UserError


def choose_device(name: str) -> torch.device:
    """auto | cpu | cuda as a device; raises UserError where cuda is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device: must be cpu or auto, this machine has no CUDA device (got 'cuda')")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def keep_freed_memory() -> None:
    """Ask the C library to keep what is freed, up to arrays of 32 MiB, for the next step's arrays.

    Given back, it would be asked for anew at every step, page by page: 3 to 8% of a step of large
    networks (measured). Nothing where the C library is not GNU's.
    """
    trim_threshold, mmap_threshold = -1, -3
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(mmap_threshold, 2**25)
        library.mallopt(trim_threshold, 2**31 - 1)
