"""Two classes of images in folders: <folder>/{train,test}/<class>/*."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from largestep.common.errors import UserError
from largestep.data.images import Images, Pool, Source, different

#: As PIL calls what may be inside; others, such as PostScript, start programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
LARGEST = 2**24  # pixels of an image; one that claims more is not decoded
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}

ClassName = Annotated[str, Field(pattern=r"^[^./\\\x00-\x1f][^/\\\x00-\x1f]*$", max_length=200)]


class ImageFolder(Images):
    """Any image folder, all images of one size; read as RGB with 8 bits per channel."""

    uses_root: ClassVar[bool] = True

    source: Literal["image_folder"] = "image_folder"
    root: str = Field(
        min_length=1,
        max_length=4096,
        pattern=r"^[^\x00-\x1f]+$",
        description="the folder of train/ and test/; a relative path begins at the data root",
    )
    classes: Annotated[
        tuple[ClassName, ClassName], Field(strict=False), different("two different folder names")
    ] = Field(description="the folders of sign +1 and -1")

    @property
    def title(self) -> str:
        return Path(self.root).name or "images"

    def _key_parts(self) -> list[str]:
        return [*super()._key_parts(), self.root]

    def available(self, root: Path) -> int:
        folder = root / self.root
        if not folder.is_dir():
            raise UserError(f"root: {folder} must be a folder that has train/ and test/")
        return count_images(folder, self.classes)

    def shape(self, root: Path) -> tuple[int, int, int]:
        (train, more), tests = (
            _list_images(root / self.root, split, self.classes) for split in ("train", "test")
        )
        try:
            d = _read_image(train[0]).size
        except UserError:
            d = 0  # the dataset stage says what is wrong with it
        return self.n or len(train + more), d, sum(map(len, tests))

    def open(self, root: Path) -> Source:
        return open_folder(root / self.root, self.classes, f"image folder {self.root}")


def count_images(folder: Path, classes: tuple[str, str]) -> int:
    """How many training images there are; raises UserError as `open_folder` does."""
    train, _ = (_list_images(folder, split, classes) for split in ("train", "test"))
    return sum(map(len, train))


def open_folder(folder: Path, classes: tuple[str, str], origin: str) -> Source:
    """Both splits, ordered by file name within a class.

    The checksum is over the bytes of all files, in the order of the pools. Hidden files and
    files that have no suffix of an image are not counted.
    Raises UserError where the folder of a class is missing or has no image.
    """
    pools, suffixes, digest = [], set(), hashlib.sha256()
    for split in ("train", "test"):
        first, second = _list_images(folder, split, classes)
        for path in (files := first + second):
            suffixes.add(path.suffix.lower())
            digest.update(path.read_bytes())
        pools.append(Pool((len(first), len(second)), partial(_read, files)))
    return Source(
        *pools,
        white=255,
        origin=f"{origin}: {', '.join(sorted(suffixes))} files",
        checksums={"sha256 of all files in order": digest.hexdigest()},
    )


def _list_images(folder: Path, split: str, classes: tuple[str, str]) -> list[list[Path]]:
    groups = []
    for name in classes:
        place = folder / split / name
        try:
            files = [path for path in place.iterdir() if _is_image(path)]
        except OSError as error:
            raise UserError(f"classes: {place} must be a folder ({error.strerror})") from error
        if not files:
            raise UserError(f"classes: {place} must have images ({' '.join(sorted(SUFFIXES))})")
        for path in (place, *(path for path in files if path.is_symlink())):
            if not path.resolve().is_relative_to(folder.resolve()):
                raise UserError(f"classes: {_shown(path)} is a link that leads out of {folder}")
        groups.append(sorted(files, key=lambda path: path.name))
    return groups


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _read(files: list[Path], places: np.ndarray) -> np.ndarray:
    """The images at `places`: (len(places), height, width, 3), uint8."""
    first = _read_image(files[places[0]])
    images = np.empty((len(places), *first.shape), np.uint8)
    for image, place in zip(images, places, strict=True):
        pixels = _read_image(files[place])
        if pixels.shape != first.shape:
            size, wanted = (f"{width}x{height}" for height, width, _ in (pixels.shape, first.shape))
            other = _shown(files[places[0]])
            raise UserError(f"{_shown(files[place])}: is {size}, must be {wanted} like {other}")
        image[:] = pixels
    return images


def _read_image(path: Path) -> np.ndarray:
    """RGB pixels, (height, width, 3): grey in three equal channels, transparency dropped."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            mode, (width, height) = image.mode, image.size
            if width * height > LARGEST:
                raise UserError(
                    f"{_shown(path)}: is {width}x{height}, must have at most {LARGEST:,} pixels"
                )
            pixels = np.asarray(image.convert("RGB"))
    except UserError:
        raise
    except Exception as error:  # each of PIL's decoders fails in ways of its own
        raise UserError(f"{_shown(path)}: cannot be read as an image") from error
    if mode.startswith(("I", "F")):
        raise UserError(f"{_shown(path)}: must have 8 bits per channel (its mode is {mode})")
    return pixels


def _shown(path: Path) -> str:
    """The path in one line that can be printed anywhere."""
    return str(path) if str(path).isprintable() else ascii(str(path))
