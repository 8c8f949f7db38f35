"""Jobs that run side by side on one machine share its GPUs evenly.

How many run at a time is Snakemake's business (`--resources gpu=4`); here each takes one GPU, of
those that it can see, which the fewest others have taken. A cluster gives a job its own.
"""

import itertools
import os
import tempfile
from pathlib import Path

from largestep.common import locks
from largestep.common.errors import UserError

_held = []  # locks, until this process ends


def take_one(device: str) -> None:
    """Restrict this process to one GPU, unless its device is the CPU; before CUDA starts.

    Changes nothing where there is no choice.
    """
    gpus = visible()
    if device == "cpu" or len(gpus) < 2:
        return
    folder = Path(tempfile.gettempdir(), f"largestep-gpus-{os.getuid()}")
    # The first place on each GPU, then the second on each.
    for place, gpu in ((place, gpu) for place in itertools.count() for gpu in gpus):
        try:
            _held.append(locks.acquire_or_refuse(folder / f"{gpu}-{place}", f"GPU {gpu}"))
        except UserError:
            continue
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        return


def visible() -> list[str]:
    """Names of NVIDIA GPUs, as in CUDA_VISIBLE_DEVICES, that this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name]
    # CUDA counts from 0 also in a container that has the third and the fourth alone.
    return [str(k) for k, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
