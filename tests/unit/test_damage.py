"""A damaged file is noticed wherever the damage lies, and never used."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from largestep.common import locks
from largestep.common.errors import Damaged, UserError
from largestep.configuration import reading
from largestep.data import samples
from largestep.data.samples import Loaded
from largestep.graph.dag import Graph
from largestep.method.models import TwoLayer
from largestep.results import damage, tables
from largestep.results.checkpoint import Checkpoint
from largestep.results.store import Run, Store


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "runs.parquet"
    frame = pd.DataFrame({name: [None, None] for name in tables.RUNS.names})
    frame["experiment"], frame["seed"], frame["stepsize"] = "xor", [0, 1], [1.0, np.nan]
    tables.write(frame, tables.RUNS, path)
    return path


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.safetensors"
    rng = np.random.default_rng(0)
    loaded = Loaded(rng.random((6, 3)), np.array([1.0, -1] * 3), None, None, {})
    path.write_bytes(loaded.to_bytes())
    return path


def damages(whole: bytes):
    """Copies with one bit flipped, all over the file, and copies cut short."""
    rng = np.random.default_rng(0)
    for position in {0, len(whole) - 1, *rng.integers(0, len(whole), 400).tolist()}:
        flipped = whole[position] ^ (1 << (position % 8))
        yield whole[:position] + bytes([flipped]) + whole[position + 1 :]
    for length in {0, 1, len(whole) // 2, len(whole) - 1, *rng.integers(0, len(whole), 20)}:
        yield whole[:length]


@pytest.mark.parametrize(
    "read",
    [tables.load, lambda path: next(tables.by_experiment(path, ["xor"]))],
    ids=["whole", "by experiment"],
)
def test_damaged_tables_are_refused(table, read):
    whole, expected = table.read_bytes(), read(table)
    refused = 0
    for damaged in damages(whole):
        table.write_bytes(damaged)
        try:
            # Some bytes of the format mean nothing; then the contents are still right.
            assert read(table).equals(expected)
        except Damaged:
            refused += 1
    assert refused > 100


def test_damaged_data_sets_are_refused(data):
    whole, expected = data.read_bytes(), samples.read(data)
    refused = 0
    for damaged in damages(whole):
        data.write_bytes(damaged)
        try:
            X, y, X_test, y_test = samples.read(data)
            assert np.array_equal(X, expected[0]) and np.array_equal(y, expected[1])
            assert X_test is None and y_test is None
        except Damaged:
            refused += 1
    assert refused > 100


def test_damaged_checkpoints_are_not_used(tmp_path):
    checkpoint = Checkpoint(tmp_path / "out.parquet", interval=0, spec="a")
    arrays = {"rows": np.arange(60.0).reshape(20, 3), "counts": np.array([3, 5])}
    checkpoint.offer(lambda: arrays)
    (path,) = tmp_path.iterdir()
    whole, refused = path.read_bytes(), 0
    for damaged in damages(whole):
        path.write_bytes(damaged)
        if found := checkpoint.load():
            assert {name: array.tolist() for name, array in found.items()} == {
                name: array.tolist() for name, array in arrays.items()
            }
        else:
            refused += 1
    assert refused > 100
    assert not Checkpoint(tmp_path / "out.parquet", spec="b").load()


def stored(steps: int, value: float = 1.0) -> Run:
    return Run(
        torch.arange(steps + 1),
        torch.full((steps + 1, 2), value, dtype=torch.float64),
        {"increases": torch.tensor(3)},
        torch.zeros(steps + 1, 2, 0),
        {"steps": torch.arange(steps + 1), "layer0": torch.ones(steps + 1, 2, 2)},
        {"layer0": torch.ones(1, 2, 2), "step": torch.tensor([steps])},
    )


def test_damaged_store_entries_are_deleted_and_never_used(tmp_path):
    store = Store(tmp_path)
    store.save("key", stored(3))
    store.save("key", stored(5))
    path = max((tmp_path / "key").iterdir(), key=lambda p: int(p.name.split("-")[0]))
    whole = path.read_bytes()
    for damaged in damages(whole):
        path.write_bytes(damaged)
        assert store.find("key", 5).last == 3
        assert not path.exists()
    path.write_bytes(whole)
    assert store.find("key", 5).last == 5


def test_store_finds_the_longest_run_that_is_short_enough(tmp_path):
    store = Store(tmp_path)
    assert store.find("key", 10) is None
    for steps in (2, 4, 8):
        store.save("key", stored(steps))
    assert [store.find("key", steps).last for steps in (2, 3, 4, 7, 8, 100)] == [2, 2, 4, 4, 8, 8]
    assert store.find("key", 1) is None


def test_a_checkpoint_gives_way_to_what_follows_it(tmp_path):
    store = Store(tmp_path)
    store.save("key", stored(2), checkpoint=True)
    store.save("key", stored(4), checkpoint=True)
    assert [p.name.split("-")[1] for p in (tmp_path / "key").iterdir()] == ["4"]
    store.save("key", stored(5))
    assert len(list((tmp_path / "key").iterdir())) == 1
    assert store.find("key", 4) is None


def test_prune_keeps_what_is_used(tmp_path):
    store = Store(tmp_path)
    for key in ("a", "b"):
        store.save(key, stored(1))
    store.prune(keep=["b", "c"])
    assert store.keys().keys() == {"b"}


def prune(results: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "largestep.stages.store", "--prune", "--results", results]
    return subprocess.run(command, capture_output=True, text=True)


def test_prune_keeps_what_an_interrupted_run_will_continue(tmp_path):
    store = Store(tmp_path / "store")
    store.save("begun", stored(2), checkpoint=True)
    store.save("unused", stored(2))
    assert prune(tmp_path).returncode == 0
    assert store.keys().keys() == {"begun"}


def test_prune_waits_for_no_run_and_deletes_nothing_beside_one(tmp_path):
    store = Store(tmp_path / "store")
    store.save("made a moment ago", stored(2))
    with locks.acquire_or_refuse(tmp_path / "demo/.lock", "demo"):
        refused = prune(tmp_path)
    assert refused.returncode == 1
    assert "demo/ is in use by another run" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert store.keys()


def test_equal_tables_have_equal_bytes(tmp_path):
    frame = pd.DataFrame({name: [None] for name in tables.RUNS.names}).assign(experiment="a")
    for name in ("one", "two"):
        tables.write(frame, tables.RUNS, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    table = tables.load(tmp_path / "one")
    tables.concat([table, table], tables.RUNS, tmp_path / "joined")
    assert len(tables.read(tmp_path / "joined", experiment="a")) == 2
    assert len(tables.read(tmp_path / "joined", experiment="b")) == 0


def test_experiments_come_one_at_a_time_with_all_their_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_GROUP", 4)  # so that experiments share groups and span several
    frame = pd.DataFrame({name: [None] * 23 for name in tables.RUNS.names})
    frame["experiment"], frame["seed"] = ["a"] * 6 + ["b"] * 1 + ["c"] * 16, range(23)
    tables.write(frame, tables.RUNS, path := tmp_path / "runs.parquet")
    names = ["c", "a", "absent", "b"]
    found = dict(zip(names, tables.by_experiment(path, names), strict=True))
    assert {name: len(rows) for name, rows in found.items()} == {
        "c": 16,
        "a": 6,
        "absent": 0,
        "b": 1,
    }
    for name, rows in found.items():
        pd.testing.assert_frame_equal(rows, tables.read(path, experiment=name))


class Trap:
    """What a pickle of it does when it is loaded."""

    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


def test_a_pickle_is_never_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("weights.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    settings = {"kind": "two_layer", "width": 2, "activation": {"name": "gelu"}}
    model = TwoLayer.model_validate(settings | {"initial_weights": "weights.npy"})
    with pytest.raises(UserError, match=r"weights\.npy"):
        model.initial_layers(2, 0)
    assert not Path("sprung").exists()


def test_every_target_has_a_log_that_vouches_for_it():
    """Of every kind of stage: config/beyond.yaml has all but gradient flow, the demo has that."""
    for name in ("demo", "beyond"):
        path = Path(__file__).parents[2] / f"config/{name}.yaml"
        graph = Graph(reading.parse(reading.read_yaml(path), str(path)), str(path))
        assert [target for target in graph.targets if damage.log_of(Path(target)) is None] == []
