"""Images in folders: <folder>/{train,test}/<class>/*."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from largestep.base import UserError
from largestep.datasets.dataset import file_name
from largestep.datasets.images import Images, Pool, Source, pair_of

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
ClassName = Annotated[str, Field(pattern=r"^[^./\\\x00-\x1f][^/\\\x00-\x1f]*$", max_length=200)]


class ImageFolder(Images):
    """Two classes of any image folder, read as RGB with 8 bits per channel."""

    title: ClassVar[str] = "image folder"
    uses_root: ClassVar[bool] = True

    source: Literal["image_folder"]
    root: str = Field(
        min_length=1,
        max_length=4096,
        pattern=r"^[^\x00-\x1f]+$",
        description="folder with train/ and test/; a relative path begins at the data root",
    )
    classes: pair_of(
        Annotated[tuple[ClassName, ClassName], Field(strict=False)],
        "the names of two different folders",
    )

    @property
    def key(self) -> str:
        # Folders in different places may have one name: the digest tells them apart.
        parts = [Path(self.root).name, *super().key.split("-")]
        return file_name(parts, self.model_dump_json(), unique=False)

    @property
    def label(self) -> str:
        return super().label.replace(self.title, Path(self.root).name, 1)

    def available(self, root: Path) -> int:
        list_images(root / self.root, "test", self.classes)
        return sum(map(len, list_images(root / self.root, "train", self.classes)))

    def open(self, root: Path) -> Source:
        return open_folder(root / self.root, self.classes, f"image folder {self.root}")


def list_images(
    folder: Path, split: str, classes: tuple[str, str]
) -> tuple[list[Path], list[Path]]:
    """The images of each class, by file name. Hidden files and other kinds of files do not count.

    Raises UserError where the folder of a class is missing or has no image.
    """
    groups = []
    for name in classes:
        place = folder / split / name
        try:
            files = [path for path in place.iterdir() if _is_image(path)]
        except OSError as error:
            raise UserError(f"classes: {place} must be a folder ({error.strerror})") from error
        if not files:
            raise UserError(f"classes: {place} must have images ({', '.join(sorted(SUFFIXES))})")
        groups.append(sorted(files, key=lambda path: path.name))
    return tuple(groups)


def open_folder(folder: Path, classes: tuple[str, str], origin: str) -> Source:
    """Both splits; the checksum is over the bytes of all files, in the order of the pools."""
    pools, digest = [], hashlib.sha256()
    for split in ("train", "test"):
        first, second = list_images(folder, split, classes)
        for path in (files := first + second):
            digest.update(path.read_bytes())
        pools.append(Pool((len(first), len(second)), partial(_read, files)))
    checksums = {"sha256 of all files in order": digest.hexdigest()}
    return Source(*pools, white=255, origin=origin, checksums=checksums)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _read(files: list[Path], chosen: np.ndarray) -> np.ndarray:
    """The chosen images, (len(chosen), height, width, 3), uint8."""
    first = _read_image(files[chosen[0]])
    images = np.empty((len(chosen), *first.shape), np.uint8)
    for image, place in zip(images, chosen, strict=True):
        pixels = _read_image(files[place])
        if pixels.shape != first.shape:
            size, wanted = ("x".join(map(str, p.shape[1::-1])) for p in (pixels, first))
            raise UserError(f"{files[place]}: is {size}; must be {wanted} as {files[chosen[0]]} is")
        image[:] = pixels
    return images


def _read_image(path: Path) -> np.ndarray:
    """RGB, (height, width, 3); grey becomes three equal channels, transparency is dropped."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise UserError(f"{path}: must have 8 bits per channel (has mode {image.mode})")
            return np.asarray(image.convert("RGB"))
    except UserError:
        raise
    except Exception as error:  # each of PIL's decoders has exceptions of its own
        raise UserError(f"{path}: is not an image that can be read ({error})") from error
