"""CIFAR-10 and MNIST as torchvision lays them out, checks them and downloads them."""

import contextlib
import fcntl
import gzip
import hashlib
import http.client
import io
import math
import os
import shutil
import socket
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from largestep.common.errors import UserError

CIFAR10_FOLDER = "cifar-10-batches-py"
MNIST_FOLDER = "MNIST/raw"
MNIST_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
TIMEOUT = 60  # seconds without an answer after which a download has failed

_declared = []  # torch.library drops a declaration whose object is collected


def import_datasets():
    """torchvision.datasets, even where torchvision's compiled operators do not load.

    PyPI's torchvision for Linux is built against CUDA. Beside a CPU-only torch its operators
    do not load, and its import stops where it refers to two of them. Nothing here uses
    operators: their schemas are all that the import needs.
    """
    try:
        import torchvision.datasets
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        from torch.library import Library

        library = Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)
        import torchvision.datasets
    return torchvision.datasets


def has_cifar10(root: Path) -> bool:
    return (root / CIFAR10_FOLDER).exists()


def fetch_cifar10(root: Path) -> None:
    """Download CIFAR-10 (170 MB) to `root`, or unpack the archive that lies there."""
    _download("CIFAR10", root, [CIFAR10_FOLDER], CIFAR10_FOLDER)


def read_cifar10(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3), uint8, and labels (N,), after torchvision's check of the MD5 sums."""
    try:
        data = import_datasets().CIFAR10(root, train=split == "train")
    except (OSError, RuntimeError) as error:
        raise _damaged(root / CIFAR10_FOLDER) from error
    return data.data, np.array(data.targets)


def cifar10_checksums() -> dict[str, str]:
    """The MD5 sums that `read_cifar10` insists on."""
    cifar10 = import_datasets().CIFAR10
    return {f"md5 of {name}": md5 for name, md5 in cifar10.train_list + cifar10.test_list}


def fetch_mnist(root: Path) -> None:
    """Download what `root` lacks of MNIST (11 MB)."""
    names = [name for files in MNIST_FILES.values() for name in files]
    missing = [f"{MNIST_FOLDER}/{name}.gz" for name in names if not _mnist_file(root, name)]
    if missing:
        _download("MNIST", root, missing, f"{MNIST_FOLDER}/*.gz")


def read_mnist(root: Path, split: str) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """Images (N, 28, 28), uint8, labels (N,), and the checksums of their two files.

    A .gz file must have the MD5 sum that torchvision knows; it knows none for unpacked files.
    """
    known = dict(import_datasets().MNIST.resources)
    arrays, checksums = [], {}
    for name in MNIST_FILES[split]:
        path = _mnist_file(root, name)
        content = path.read_bytes()
        if path.suffix == ".gz":
            if _md5(content) != known[path.name]:
                raise _damaged(path)
            checksums[f"md5 of {path.name}"] = known[path.name]
            content = gzip.decompress(content)
        else:
            checksums[f"sha256 of {path.name}"] = hashlib.sha256(content).hexdigest()
        arrays.append(_parse_idx(content, path))
    images, labels = arrays
    if images.shape != (len(labels), 28, 28):
        raise _damaged(root / MNIST_FOLDER / MNIST_FILES[split][0])
    return images, labels, checksums


def _mnist_file(root: Path, name: str) -> Path | None:
    """The file, packed (which has a known checksum) rather than unpacked; None without either."""
    places = (root / MNIST_FOLDER / f"{name}.gz", root / MNIST_FOLDER / name)
    return next((place for place in places if place.is_file()), None)


def _parse_idx(content: bytes, path: Path) -> np.ndarray:
    """The array of bytes in an IDX file: 0, 0, 8 (uint8), dimensions, their sizes, the values."""
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise _damaged(path)
    start = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:start], ">u4") if len(content) >= start else [0]
    if len(content) - start != math.prod(map(int, shape)):
        raise _damaged(path)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _damaged(path: Path) -> UserError:
    return UserError(
        f"{path}: is damaged or incomplete; where it is moved away, it is downloaded again"
    )


def _download(name: str, root: Path, members: Sequence[str], wanted: str) -> None:
    """Let torchvision download its data set `name`, and move `members` of it into `root`.

    Everything happens in a hidden folder until torchvision has checked it, so what lies under
    its own name is whole.
    """
    failures = (OSError, RuntimeError, EOFError, tarfile.TarError, http.client.HTTPException)
    new = not root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _only_one(root), TemporaryDirectory(prefix=".download-", dir=root) as scratch:
            if missing := [root / member for member in members if not (root / member).exists()]:
                dataset = getattr(import_datasets(), name)
                _bring_archive(dataset, root, scratch)
                with _quietly():
                    dataset(scratch, download=True)
            for path in missing:
                path.parent.mkdir(parents=True, exist_ok=True)
                (Path(scratch) / path.relative_to(root)).rename(path)
    except failures as error:
        if new:
            with contextlib.suppress(OSError):
                root.rmdir()
        reason = " ".join(str(error).split())[-200:]
        raise UserError(
            f"data: could not download {name} to {root} (no network?); put {wanted} there "
            f"or set DATA=<folder> that has it ({reason})"
        ) from error


def _bring_archive(dataset: type, root: Path, scratch: str) -> None:
    """Copy the archive of `dataset` where torchvision looks for it, if `root` has one."""
    if (name := getattr(dataset, "filename", None)) and (archive := root / name).exists():
        if _md5(archive.read_bytes()) != dataset.tgz_md5:
            raise _damaged(archive)
        shutil.copy(archive, scratch)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Let jobs that want the same data wait for the first of them."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot lock a folder
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """No progress bars outside a terminal; no waiting for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    terminal = sys.stderr.isatty()
    try:
        with contextlib.nullcontext() if terminal else contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(before)
