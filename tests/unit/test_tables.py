"""Tables: parts joined in a stream give the same file however the rows are cut into parts."""

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from largestep.results import tables


def table(rows: int, experiment: str = "a", first: int = 0) -> pa.Table:
    """Rows that differ, with a null here and there."""
    steps = np.arange(first, first + rows)
    columns = {}
    for field in tables.TRAJECTORIES:
        if field.type == pa.string():
            columns[field.name] = [experiment] * rows
        elif field.type == pa.int64():
            columns[field.name] = steps
        else:
            columns[field.name] = np.where(steps % 7 == 3, np.nan, np.sin(steps))
    frame = pd.DataFrame(columns)
    return pa.Table.from_pandas(frame, schema=tables.TRAJECTORIES, preserve_index=False)


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 50), max_size=6), group=st.integers(1, 70))
def test_the_cut_into_parts_does_not_matter(tmp_path_factory, cuts, group):
    folder = tmp_path_factory.mktemp("tables")
    whole = table(50)
    bounds = [0, *sorted(cuts), 50]
    parts = [whole.slice(a, b - a) for a, b in pairwise(bounds)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "_GROUP", group)
        tables.concat([whole], tables.TRAJECTORIES, folder / "one.parquet")
        tables.concat(parts, tables.TRAJECTORIES, folder / "many.parquet")
    assert (folder / "one.parquet").read_bytes() == (folder / "many.parquet").read_bytes()
    assert tables.load(folder / "many.parquet").equals(whole)
    sizes = pq.ParquetFile(folder / "many.parquet").metadata
    found = [sizes.row_group(k).num_rows for k in range(sizes.num_row_groups)]
    assert found == [min(group, 50 - start) for start in range(0, 50, group)]


def test_sharpness_goes_to_its_row_whatever_the_order():
    rows = table(20)
    found = pd.DataFrame({"seed": [4, 7, 4, 19], "step": [4, 7, 4, 19], "rank": [1, 1, 2, 1]})
    found = found.assign(stepsize=np.sin(found["step"]), eigenvalue=[0.5, np.nan, 9, 0.25])
    found["policy"] = found["descent"] = rows["policy"][0].as_py()
    filled = tables.with_sharpness(rows, found.sample(frac=1, random_state=0))
    assert filled.schema == rows.schema
    expected = [{4: 0.5, 19: 0.25}.get(step) for step in range(20)]
    assert filled["sharpness"].to_pylist() == expected
    assert filled.drop_columns("sharpness").equals(rows.drop_columns("sharpness"))


def test_the_loss_of_the_flow_goes_to_every_row_of_its_seed_and_time():
    rows = table(20).to_pandas()
    rows = rows.assign(seed=rows["step"] % 2, stepsize=np.where(rows["step"] < 10, 0.1, 0.3))
    rows = pa.Table.from_pandas(rows, schema=tables.TRAJECTORIES, preserve_index=False)
    time = np.array(rows["stepsize"]) * np.array(rows["step"])
    reached = np.unique(time[time < 3])
    found = pd.DataFrame(
        [(seed, t, 2 * t + seed) for seed in (0, 1) for t in reached],
        columns=["seed", "time", "loss"],
    )
    filled = tables.with_flow(rows, found.sample(frac=1, random_state=0))
    expected = [
        2 * t + seed if t < 3 else None
        for t, seed in zip(time, rows["seed"].to_pylist(), strict=True)
    ]
    assert filled["flow_loss"].to_pylist() == expected and None in expected
    assert filled.drop_columns("flow_loss").equals(rows.drop_columns("flow_loss"))


def test_reading_takes_the_rows_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_GROUP", 4)
    parts = [table(10, "a"), table(5, "b", 100), table(3, "a", 200)]
    tables.concat(parts, tables.TRAJECTORIES, tmp_path / "t.parquet")
    together = pa.concat_tables(parts).to_pandas()
    for experiment in ("a", "b", "c"):
        expected = together[together.experiment == experiment].reset_index(drop=True)
        found = tables.read(tmp_path / "t.parquet", experiment=experiment)
        pd.testing.assert_frame_equal(found, expected)


def test_memory_does_not_grow_with_the_number_of_parts(tmp_path):
    """The metrics stage on 1x, 2x and 4x as many parts, all beyond one group of rows."""
    tables.concat([table(20_000)], tables.TRAJECTORIES, tmp_path / "part.parquet")
    peaks = [_peak(tmp_path, parts) for parts in (10, 20, 40)]
    rows = pq.read_metadata(tmp_path / "out.parquet").num_rows
    assert rows == 40 * 20_000
    megabytes = rows * len(tables.TRAJECTORIES) * 8 / 2**20
    assert megabytes > 100  # what the largest table takes at least
    assert max(peaks) - min(peaks) < 0.3 * megabytes, peaks


def _peak(folder, parts: int) -> float:
    """MiB of memory that the metrics stage took."""
    command = [sys.executable, "-m", "largestep.stages.metrics", "--table", "trajectories"]
    process = subprocess.Popen(
        [*command, "@/dev/stdin", "--out", folder / "out.parquet"],
        stdin=subprocess.PIPE,
        text=True,
    )
    process.stdin.write("--parts\n" + f"{folder / 'part.parquet'}\n" * parts)
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    return usage.ru_maxrss / 1024
