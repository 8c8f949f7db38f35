"""Data sets against the conventions written out a second time, as plainly as possible."""

import gzip
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pydantic import TypeAdapter
from sklearn.datasets import load_digits

from largestep.common.errors import UserError
from largestep.configuration import reading
from largestep.data import AnyDataset, read
from largestep.data.images import prepare
from largestep.data.torchvision_data import MNIST_FILES

DATA = Path(os.environ.get("DATA", ""))
needs_data = pytest.mark.skipif("DATA" not in os.environ, reason="DATA is not set")
PAIR = ["airplane", "automobile"]
NOWHERE = Path("no such folder")


def make(**values):
    return TypeAdapter(AnyDataset).validate_python(values)


def rows_of(images: np.ndarray, white: float) -> np.ndarray:
    return np.array([[value / white for value in image.ravel()] for image in images])


# Points


def test_xor_is_minus_the_product():
    data = make(source="xor").load(NOWHERE)
    points = {(x1, x2): y for (x1, x2), y in zip(data.X, data.y, strict=True)}
    assert points == {(1, 1): -1, (1, -1): 1, (-1, 1): 1, (-1, -1): -1}


def test_five_points_are_those_of_figure_4():
    data = make(source="five_points").load(NOWHERE)
    assert data.X.tolist() == [
        [0.05, 1, 2],
        [0.05, -2, 1],
        [-1, 0, 2],
        [0.05, -2, -2],
        [0.05, 1, -2],
    ]
    assert data.y.tolist() == [1, 1, -1, 1, 1]
    assert (data.y * data.X[:, 0]).min() == 0.05


def test_margin_generator_step_by_step():
    n, d, gamma, seed = 50, 10, 0.05, 3
    rng = np.random.default_rng(seed)
    U, h = rng.standard_normal((n, d - 1)), rng.random(n)
    data = make(source="margin", n=n, d=d, gamma=gamma, seed=seed).load(NOWHERE)
    for i in range(n):
        y = 1 if i < n / 2 else -1
        g = gamma * (1 + h[i])
        length = sum(u * u for u in U[i]) ** 0.5
        x = [y * g] + [(1 - g * g) ** 0.5 * u / length for u in U[i]]
        assert data.y[i] == y
        np.testing.assert_allclose(data.X[i], x, rtol=1e-14)


@given(
    n=st.integers(1, 20), d=st.integers(2, 8), gamma=st.floats(1e-6, 0.5), seed=st.integers(0, 99)
)
def test_margin_generator_keeps_its_promise(n, d, gamma, seed):
    data = make(source="margin", n=2 * n, d=d, gamma=gamma, seed=seed).load(NOWHERE)
    assert data.y.sum() == 0
    assert (data.y * data.X[:, 0] >= gamma).all()
    np.testing.assert_allclose(np.linalg.norm(data.X, axis=1), 1, rtol=1e-12)


# Subsets of images


@pytest.mark.parametrize(("classes", "n"), [("odd_even", 100), ([3, 8], None), ([8, 3], 20)])
def test_digits_follow_the_subset_rule(classes, n):
    images, labels = load_digits(return_X_y=True)
    if classes == "odd_even":
        groups = [[i for i in range(1797) if labels[i] % 2 == odd] for odd in (1, 0)]
    else:
        groups = [[i for i in range(1797) if labels[i] == c] for c in classes]
    pool = groups[0] + groups[1]
    order = [pool[j] for j in np.random.default_rng(5).permutation(len(pool))]
    tests = len(pool) // 5
    train, test = order[:-tests][:n], order[-tests:]

    data = make(source="digits", classes=classes, n=n, seed=5).load(NOWHERE)
    assert data.X.tolist() == rows_of(images[train], 16).tolist()
    assert data.X_test.tolist() == rows_of(images[test], 16).tolist()
    assert data.y.tolist() == [1 if i in groups[0] else -1 for i in train]
    assert data.y_test.tolist() == [1 if i in groups[0] else -1 for i in test]
    if classes == "odd_even":
        assert len(data.y_test) == 359


def make_folder(root: Path, size=(3, 2), mode="RGB", count=6) -> dict[str, np.ndarray]:
    """Class folders cat and dog with random PNG images; returns their pixels by path."""
    rng = np.random.default_rng(0)
    pixels = {}
    for split in ("train", "test"):
        for name in ("dog", "cat"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in rng.permutation(count):  # so that age and name differ in order
                shape = size[::-1] if mode == "L" else (*size[::-1], 3)
                image = rng.integers(0, 256, shape, dtype=np.uint8)
                path = folder / f"picture {number} é.PNG"
                Image.fromarray(image, mode=None).save(path)
                pixels[str(path.relative_to(root))] = image
    return pixels


def test_folder_follows_the_subset_rule(tmp_path):
    pixels = make_folder(tmp_path / "pets")
    (tmp_path / "pets/train/cat/.hidden.png").write_text("not an image")
    (tmp_path / "pets/train/cat/notes.txt").write_text("not an image")
    pool = [
        path for c in ("cat", "dog") for path in sorted(pixels) if path.startswith(f"train/{c}")
    ]
    chosen = [pool[i] for i in np.random.default_rng(2).permutation(len(pool))[:7]]

    dataset = make(source="image_folder", root="pets", classes=["cat", "dog"], n=7, seed=2)
    dataset.check(tmp_path)
    data = dataset.load(tmp_path)
    assert data.X.tolist() == rows_of([pixels[path] for path in chosen], 255).tolist()
    assert data.y.tolist() == [1 if "/cat/" in path else -1 for path in chosen]
    tests = [
        path for c in ("cat", "dog") for path in sorted(pixels) if path.startswith(f"test/{c}")
    ]
    assert data.X_test.tolist() == rows_of([pixels[path] for path in tests], 255).tolist()
    assert data.y_test.tolist() == [1] * 6 + [-1] * 6
    assert data.facts["image_shape"] == [2, 3, 3]
    assert data.facts["counts"]["test"] == {"cat": 6, "dog": 6}


def test_absolute_folder_needs_no_data_root(tmp_path):
    make_folder(tmp_path)
    dataset = make(source="image_folder", root=str(tmp_path), classes=["cat", "dog"])
    assert dataset.load(NOWHERE).X.shape == (12, 18)


def test_grey_images_have_three_equal_channels(tmp_path):
    make_folder(tmp_path, mode="L")
    data = make(source="image_folder", root=".", classes=["cat", "dog"]).load(tmp_path)
    channels = data.X.reshape(12, 6, 3)
    assert (channels == channels[:, :, :1]).all()


@pytest.mark.parametrize("folder", ["cifar10", "cifar10-airplane-automobile"])
def test_cifar10_from_a_folder_of_images(tmp_path, folder):
    make_folder(tmp_path / folder)
    for split in ("train", "test"):
        for old, new in (("cat", "airplane"), ("dog", "automobile")):
            (tmp_path / folder / split / old).rename(tmp_path / folder / split / new)
    same = make(source="image_folder", root=folder, classes=PAIR, n=5).load(tmp_path)
    data = make(source="cifar10", classes=PAIR, n=5).load(tmp_path)
    assert data.X.tolist() == same.X.tolist()
    assert data.facts["origin"].startswith(f"image folder {folder}, whose pixels")
    assert data.facts["origin"].endswith(": .png files")
    mirrored = make(source="cifar10", classes=PAIR[::-1]).load(tmp_path)
    assert mirrored.y_test.tolist() == [1] * 6 + [-1] * 6
    assert mirrored.X_test.tolist() == np.roll(data.X_test, 6, axis=0).tolist()


@needs_data
def test_cifar10_in_data(tmp_path):
    folder = DATA / "cifar10-airplane-automobile" / "train"
    pool = [path for name in PAIR for path in sorted((folder / name).iterdir())]
    chosen = [pool[i] for i in np.random.default_rng(0).permutation(len(pool))[:20]]
    X = np.array([np.asarray(Image.open(path).convert("RGB")).ravel() / 255 for path in chosen])
    X = X - X.mean(axis=0)
    X = X / np.sqrt((X**2).sum(axis=1))[:, None]

    dataset = make(source="cifar10", classes=PAIR, n=20, preprocessing=["center", "unit_norm"])
    dataset.check(DATA)
    data = dataset.load(DATA)
    np.testing.assert_allclose(data.X, X, rtol=1e-12, atol=1e-15)
    assert data.y.tolist() == [1 if path.parent.name == "airplane" else -1 for path in chosen]
    assert data.X_test.shape == (2000, 3072)


@needs_data
def test_mnist_in_data():
    raw = DATA / "MNIST" / "raw"
    images = gzip.decompress((raw / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((raw / "train-labels-idx1-ubyte.gz").read_bytes())[8:]
    pool = [i for i in range(60000) if labels[i] % 2] + [
        i for i in range(60000) if not labels[i] % 2
    ]
    chosen = [pool[j] for j in np.random.default_rng(0).permutation(60000)[:30]]

    dataset = make(source="mnist", classes="odd_even", n=30)
    dataset.check(DATA)
    data = dataset.load(DATA)
    assert data.X.tolist() == [[p / 255 for p in images[784 * i : 784 * (i + 1)]] for i in chosen]
    assert data.y.tolist() == [1 if labels[i] % 2 else -1 for i in chosen]
    assert data.X_test.shape == (10000, 784)
    assert sorted(dataset.per_digit) == sorted(labels.count(digit) for digit in range(10))


def make_mnist(root: Path, sizes=(40, 20)) -> None:
    """Unpacked files in MNIST's format, of which torchvision knows no checksum."""
    rng = np.random.default_rng(1)
    (root / "MNIST/raw").mkdir(parents=True)
    for (images, labels), size in zip(MNIST_FILES.values(), sizes, strict=True):
        pixels = rng.bytes(size * 784)
        (root / "MNIST/raw" / images).write_bytes(struct.pack(">4I", 2051, size, 28, 28) + pixels)
        digits = bytes(i % 10 for i in range(size))
        (root / "MNIST/raw" / labels).write_bytes(struct.pack(">2I", 2049, size) + digits)


def test_unpacked_mnist(tmp_path):
    make_mnist(tmp_path)
    data = make(source="mnist", classes=[7, 2]).load(tmp_path)
    content = (tmp_path / "MNIST/raw/t10k-images-idx3-ubyte").read_bytes()[16:]
    tests = [np.frombuffer(content[784 * i : 784 * (i + 1)], np.uint8) for i in (7, 17, 2, 12)]
    assert data.X_test.tolist() == rows_of(tests, 255).tolist()
    assert data.y_test.tolist() == [1, 1, -1, -1]
    assert data.X.shape == (8, 784)


# Preprocessing

pixels = st.integers(2, 6).flatmap(
    lambda rows: arrays(np.float64, (rows, 12), elements=st.integers(0, 255).map(lambda p: p / 255))
)


def varied(X: np.ndarray) -> np.ndarray:
    """X with a first row and column that no step can find constant."""
    X = X.copy()
    X[0] = np.linspace(0.1, 0.9, X.shape[1])
    X[1] = 1 - X[0] ** 2
    return X


@given(pixels.map(varied), pixels)
def test_preprocessing(X, X_test):
    centred, test = X.copy(), X_test.copy()
    prepare(centred, test, ["center"], channels=3)
    np.testing.assert_allclose(centred.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(test, X_test - X.sum(axis=0) / len(X), atol=1e-14)

    scaled, test = X.copy(), X_test.copy()
    deviations = prepare(scaled, test, ["standardize"], channels=3)["channel_deviations"]
    for channel in range(3):
        values = [value for row in scaled for value in row[channel::3]]
        assert np.isclose(sum(value**2 for value in values) / len(values), 1)
        assert np.isclose(np.std(centred[:, channel::3]), deviations[channel])
        np.testing.assert_allclose(
            test[:, channel::3] * deviations[channel],
            (X_test - X.mean(axis=0))[:, channel::3],
            atol=1e-13,
        )


@given(pixels.map(varied))
def test_unit_norm_comes_after_the_mean(X):
    rows, test = X.copy(), X[:1].copy()
    centred = X - X.mean(axis=0)
    assume((np.linalg.norm(centred, axis=1) > 1e-6).all())
    prepare(rows, test, ["center", "unit_norm"], channels=1)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)
    cosines = (rows * centred).sum(axis=1) / np.linalg.norm(centred, axis=1)
    np.testing.assert_allclose(cosines, 1)
    np.testing.assert_allclose(test[0], rows[0])


@pytest.mark.parametrize("step", ["standardize", "unit_norm"])
def test_constant_images_cannot_be_scaled(step):
    X = np.full((3, 4), 0.1)
    steps = ["center", "unit_norm"] if step == "unit_norm" else [step]
    with pytest.raises(UserError, match=f"preprocessing: {step}"):
        prepare(X, X.copy(), steps, channels=1)


# Names

classes_of = {
    "digits": st.one_of(
        st.just("odd_even"), st.permutations(range(10)).map(lambda digits: digits[:2])
    ),
    "cifar10": st.permutations(["cat", "dog", "frog"]).map(lambda names: names[:2]),
    "image_folder": st.lists(
        st.text("ab-_ é", min_size=1, max_size=4), min_size=2, max_size=2, unique=True
    ),
}
images = st.sampled_from(sorted(classes_of)).flatmap(
    lambda source: st.fixed_dictionaries(
        {
            "source": st.just(source),
            "classes": classes_of[source],
            "n": st.sampled_from([None, 1, 11]),
            "seed": st.integers(0, 1),
            "preprocessing": st.sampled_from([[], ["center"], ["center", "unit_norm"]]),
        }
        | ({"root": st.text("ab-/.", min_size=1, max_size=200)} if source == "image_folder" else {})
    )
)


@given(images, images)
def test_key_names_the_whole_specification(first, second):
    first, second = make(**first), make(**second)
    assert (first.key == second.key) == (first == second)
    assert first.key.isascii() and "/" not in first.key and " " not in first.key
    assert len(first.key) <= 120


def test_keys_and_labels_are_readable():
    digits = make(
        source="digits", classes="odd_even", n=1000, preprocessing=["center", "unit_norm"]
    )
    assert digits.key == "digits-odd_even-n1000-seed0-center-unit_norm"
    assert digits.label == "digits odd/even, n = 1000"
    assert make(source="margin", n=50, d=10, gamma=0.05).key == "margin-n50-d10-gamma0.05-seed0"
    cifar10 = make(source="cifar10", classes=PAIR)
    assert cifar10.key == "cifar10-airplane-automobile-all-seed0"
    assert cifar10.label == "CIFAR-10 airplane/automobile, all"
    assert make(source="xor").key == "xor"


# Mistakes


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"classes": [3, 3]}, "classes: must be odd_even, or two different digits"),
        ({"classes": [3, 10]}, "classes: must be odd_even, or two different digits"),
        ({"classes": [True, False]}, "classes: must be odd_even, or two different digits"),
        ({"classes": "even_odd"}, "classes: must be odd_even, or two different digits"),
        ({"source": "cifar10", "classes": ["cat", "lion"]}, "classes: must be two different ones"),
        ({"source": "cifar10", "classes": ["cat", "cat"]}, "classes: must be two different ones"),
        ({"source": "cifar10", "classes": ["cat"]}, "classes: must be two different ones"),
        (
            {"source": "image_folder", "root": "x", "classes": ["..", "cat"]},
            "classes: must be two different folder names",
        ),
        ({"preprocessing": ["center", "center"]}, "preprocessing: no step may occur twice"),
        ({"preprocessing": ["center", "standardize"]}, "preprocessing: standardize already"),
        ({"preprocessing": ["unit_norm", "center"]}, "preprocessing: unit_norm must come last"),
        ({"preprocessing": ["whiten"]}, "preprocessing[0]: must be 'center'"),
        ({"n": 0}, "n: must be greater than or equal to 1 (got 0)"),
        ({"n": "1e3"}, "n: must be a valid integer"),
        ({"seed": -1}, "seed: must be greater than or equal to 0"),
        ({"source": "imagenet"}, "source: must be one of 'xor', 'five_points', 'margin', 'digits'"),
        ({"source": "margin", "n": 51}, "n: "),
        ({"source": "margin", "n": 10**6, "d": 10**6, "gamma": 0.1}, "n: n * d must be at most"),
    ],
)
def test_wrong_specification_is_one_line_with_its_key(values, message):
    dataset = {"source": "digits", "classes": "odd_even"} | values
    if dataset["source"] == "margin":
        dataset = {"d": 10, "gamma": 0.05} | values
    content = {
        "name": "x",
        "experiments": {
            "e": {
                "dataset": dataset,
                "model": {"kind": "two_layer", "width": 2, "activation": {"name": "gelu"}},
                "train": {"eta": [1], "seeds": [0], "steps": 1},
            }
        },
    }
    with pytest.raises(UserError) as caught:
        reading.parse(content, "c.yaml")
    assert str(caught.value).startswith(f"c.yaml: experiments.e.dataset.{message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "most"),
    [
        ({"source": "digits", "classes": "odd_even"}, 1438),
        ({"source": "digits", "classes": [3, 8]}, 286),
        ({"source": "mnist", "classes": "odd_even"}, 60000),
        ({"source": "mnist", "classes": [0, 1]}, 5923 + 6742),
        ({"source": "cifar10", "classes": PAIR}, 10000),
    ],
)
def test_too_many_samples(values, most):
    make(**values, n=most).check(NOWHERE)
    with pytest.raises(UserError, match=rf"^n: must be at most {most} \(got {most + 1}\)$"):
        make(**values, n=most + 1).check(NOWHERE)


def test_digits_have_as_many_samples_as_announced():
    for classes in ("odd_even", [0, 1], [9, 5]):
        dataset = make(source="digits", classes=classes)
        assert len(dataset.load(NOWHERE).y) == dataset.available(NOWHERE)


def test_what_a_folder_lacks(tmp_path):
    make_folder(tmp_path / "pets")
    pets = {"source": "image_folder", "root": "pets", "classes": ["cat", "dog"]}
    make(**pets, n=12).check(tmp_path)
    for wrong, message in (
        (pets | {"n": 13}, r"^n: must be at most 12 \(got 13\)$"),
        (pets | {"root": "zoo"}, r"^root: .*zoo must be a folder"),
        (pets | {"classes": ["cat", "lion"]}, r"^classes: .*pets/train/lion must be a folder"),
    ):
        with pytest.raises(UserError, match=message):
            make(**wrong).check(tmp_path)
    (tmp_path / "pets/test/dog").rename(tmp_path / "pets/test/wolf")
    with pytest.raises(UserError, match=r"^classes: .*pets/test/dog must be a folder"):
        make(**pets).check(tmp_path)
    (tmp_path / "pets/test/dog").mkdir()
    with pytest.raises(UserError, match=r"^classes: .*pets/test/dog must have images"):
        make(**pets).check(tmp_path)


def test_data_root_must_be_a_folder(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(UserError, match=r"^source: the data root .* must be a folder"):
        make(source="cifar10", classes=PAIR).check(tmp_path / "data")
    for values in (
        {"source": "cifar10", "classes": PAIR},
        {"source": "image_folder", "root": "x" * 300, "classes": PAIR},
    ):
        with pytest.raises(UserError, match=r"^source: cannot look for it in .*name too long"):
            make(**values).check(tmp_path / ("x" * 300))


def spoil_by_cutting(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def spoil_by_text(path: Path) -> None:
    path.write_text("not an image")


def spoil_by_size(path: Path) -> None:
    Image.new("RGB", (5, 4)).save(path)


def spoil_by_depth(path: Path) -> None:
    Image.fromarray(np.zeros((2, 3), np.uint16)).save(path)


def spoil_by_claim(path: Path) -> None:
    """A PNG file of a few bytes that claims 64 million pixels."""
    content = path.read_bytes()
    header = b"IHDR" + struct.pack(">II", 8000, 8000) + content[24:29]
    path.write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])


def spoil_by_program(path: Path) -> None:
    """PostScript, which PIL would have Ghostscript run."""
    Image.new("RGB", (3, 2)).save(path, "EPS")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_by_claim, "is 8000x8000, must have at most 16,777,216 pixels"),
        (spoil_by_program, "cannot be read as an image"),
        (spoil_by_cutting, "cannot be read as an image"),
        (spoil_by_text, "cannot be read as an image"),
        (spoil_by_size, "is 5x4, must be 3x2 like|is 3x2, must be 5x4 like"),
        (spoil_by_depth, "must have 8 bits per channel"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_spoiled_image_is_named(tmp_path, spoil, message, split):
    make_folder(tmp_path)
    spoil(tmp_path / split / "cat" / "picture 3 é.PNG")
    with pytest.raises(UserError, match=message) as caught:
        make(source="image_folder", root=".", classes=["cat", "dog"]).load(tmp_path)
    assert "picture 3 é.PNG" in str(caught.value)


def test_images_of_another_size_in_the_test_split(tmp_path):
    make_folder(tmp_path)
    for path in (tmp_path / "test").rglob("*.PNG"):
        spoil_by_size(path)
    with pytest.raises(UserError, match=r"^source: the images are 5x4 in test, 3x2 in train"):
        make(source="image_folder", root=".", classes=["cat", "dog"]).load(tmp_path)


@pytest.mark.parametrize("link", ["train/cat/picture 9 é.png", "train/cat"])
def test_a_link_that_leads_out_of_the_folder_is_named(tmp_path, link):
    """One that stays inside is as good as a copy; the folder itself may be a link."""
    make_folder(tmp_path / "images")
    (tmp_path / "linked").symlink_to(tmp_path / "images")
    inside = tmp_path / "images/train/dog/again.png"
    inside.symlink_to("../cat/picture 3 é.PNG")
    spec = make(source="image_folder", root="linked", classes=["cat", "dog"])
    assert len(spec.load(tmp_path).X) == 13
    path, outside = tmp_path / "images" / link, tmp_path / "outside"
    (path if path.exists() else path.with_name("picture 3 é.PNG")).rename(outside)
    path.symlink_to(outside)
    with pytest.raises(UserError, match=f"{link} is a link that leads out of"):
        spec.check(tmp_path)


def test_unprintable_file_name_stays_in_one_line(tmp_path):
    make_folder(tmp_path)
    (tmp_path / "train/cat/a\nb.png").write_text("not an image")
    with pytest.raises(UserError, match=r"a\\nb.png"):
        make(source="image_folder", root=".", classes=["cat", "dog"]).load(tmp_path)


def test_damaged_mnist_is_named(tmp_path):
    dataset = make(source="mnist", classes="odd_even")
    make_mnist(tmp_path)
    labels = tmp_path / "MNIST/raw/train-labels-idx1-ubyte"
    whole = labels.read_bytes()
    for damaged in (b"", whole[:7], whole[:-1], whole + b"\0", b"\1" + whole[1:]):
        labels.write_bytes(damaged)
        with pytest.raises(UserError, match="train-labels-idx1-ubyte: is damaged"):
            dataset.load(tmp_path)
    labels.write_bytes(struct.pack(">2I", 2049, 39) + bytes(39))
    with pytest.raises(UserError, match="train-images-idx3-ubyte: is damaged"):
        dataset.load(tmp_path)
    packed = tmp_path / "MNIST/raw/train-labels-idx1-ubyte.gz"
    packed.write_bytes(gzip.compress(whole))  # a good archive, but not MNIST's
    with pytest.raises(UserError, match=r"train-labels-idx1-ubyte\.gz: is damaged"):
        dataset.load(tmp_path)


def test_fewer_images_than_mnist_should_have(tmp_path):
    make_mnist(tmp_path)
    with pytest.raises(UserError, match=r"^n: must be at most 40 \(got 41\)"):
        make(source="mnist", classes="odd_even", n=41).load(tmp_path)


def test_damaged_cifar10_is_named_and_never_unpickled(tmp_path):
    dataset = make(source="cifar10", classes=PAIR)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in ("batches.meta", "test_batch", *(f"data_batch_{i}" for i in range(1, 6))):
        (folder / name).write_bytes(b"cos\nabort\n(tR.")  # unpickling this would end the process
    with pytest.raises(UserError, match="cifar-10-batches-py: is damaged or incomplete"):
        dataset.load(tmp_path)


def test_damaged_archive_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_text("not an archive")
    with pytest.raises(UserError, match=r"cifar-10-python\.tar\.gz: is damaged"):
        make(source="cifar10", classes=PAIR).load(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-10-python.tar.gz"]


# Files


def test_equal_data_give_equal_bytes_that_read_back(tmp_path):
    for values in (
        {"source": "five_points"},
        {"source": "digits", "classes": [3, 8], "n": 9, "preprocessing": ["standardize"]},
    ):
        first, second = (make(**values).load(NOWHERE) for _ in range(2))
        assert first.to_bytes() == second.to_bytes()
        assert first.facts == second.facts
        path = tmp_path / "x.safetensors"
        path.write_bytes(first.to_bytes())
        expected = (first.X, first.y, first.X_test, first.y_test)
        for got, wanted in zip(read(path), expected, strict=True):
            assert (got is None and wanted is None) or (got == wanted).all()


def test_incomplete_file_is_refused_by_name(tmp_path):
    from safetensors.numpy import save

    whole = make(source="xor").load(NOWHERE)
    X, y = whole.X, whole.y
    path = tmp_path / "x.safetensors"
    with pytest.raises(UserError, match=r"x\.safetensors"):
        read(path)
    for content in (
        b"",
        whole.to_bytes()[:-1],
        save({"X": X}),
        save({"X": X, "y": y[:3]}),
        save({"X": X, "y": y, "X_test": X}),
        save({"X": X * np.nan, "y": y}),
        save({"X": X, "y": y * 2}),
        save({"X": X.astype(np.float32), "y": y}),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"x\.safetensors"):
            read(path)


def test_reading_a_specification_is_cheap():
    heavy = {"torch", "torchvision", "PIL", "sklearn", "safetensors"}
    code = f"import sys, largestep.data; print({heavy!r} & set(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "set()"
