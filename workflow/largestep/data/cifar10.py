"""CIFAR-10, from torchvision's files or from a folder of images that stands for them."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from largestep.data import torchvision_data
from largestep.data.folder import count_images, open_folder
from largestep.data.images import Images, Pool, Source, different

NAMES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
PER_CLASS = 5000  # training images


class CIFAR10(Images):
    """Two classes of CIFAR-10, 32x32 RGB, 5,000 training and 1,000 test images each.

    Under the data root: torchvision's cifar-10-batches-py, or else an image folder
    cifar10-<class>-<class> or cifar10; where there is neither, torchvision downloads the former.
    """

    title: ClassVar[str] = "CIFAR-10"
    uses_root: ClassVar[bool] = True

    source: Literal["cifar10"] = "cifar10"
    classes: Annotated[
        tuple[Literal[NAMES], Literal[NAMES]],
        Field(strict=False),
        different(f"two different ones of {', '.join(NAMES)}"),
    ] = Field(description="the classes of sign +1 and -1")

    def available(self, root: Path) -> int:
        folder = self._folder(root)
        return count_images(folder, self.classes) if folder else 2 * PER_CLASS

    def shape(self, root: Path) -> tuple[int, int, int]:
        return self.n or self.available(root), 32 * 32 * 3, 2 * 1000

    def fetch(self, root: Path) -> None:
        if not (torchvision_data.has_cifar10(root) or self._folder(root)):
            torchvision_data.fetch_cifar10(root)

    def open(self, root: Path) -> Source:
        if folder := self._folder(root):
            origin = f"image folder {folder.name}, whose pixels are CIFAR-10's own if lossless"
            return open_folder(folder, self.classes, origin)
        pools = []
        for split in ("train", "test"):
            images, labels = torchvision_data.read_cifar10(root, split)
            pools.append(Pool.of(images, *(labels == NAMES.index(name) for name in self.classes)))
        return Source(
            *pools,
            white=255,
            origin=f"{torchvision_data.CIFAR10_FOLDER}, the original files",
            checksums=torchvision_data.cifar10_checksums(),
        )

    def _folder(self, root: Path) -> Path | None:
        """The image folder that stands for CIFAR-10; None beside the original files."""
        if torchvision_data.has_cifar10(root):
            return None
        first, second = self.classes
        names = (f"cifar10-{first}-{second}", f"cifar10-{second}-{first}", "cifar10")
        return next((root / name for name in names if (root / name).is_dir()), None)
