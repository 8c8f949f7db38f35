import io

import descend
import numpy as np
import pandas as pd
import pytest
import unpacked
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from largestep.report import explorer, packing


def explored(description=descend.XOR, change=lambda frame: frame, **halted) -> dict:
    experiment, rows, runs, _ = descend.trained(description, **halted)
    among = list(experiment.grid[1])
    data = explorer.data(experiment, change(rows), change(runs), among)
    return unpacked.curves(packing.curves(data))


def test_every_run_is_there_with_its_values_and_marks():
    _, rows, runs, _ = descend.trained(descend.XOR)
    found = explored()
    assert [run["curve"] for run in found["runs"]] == ["1", "30"] and found["symbol"] == "η"
    assert [axis["column"] for axis in found["axes"]] == ["step", "time"]
    for run, (_, facts) in zip(found["runs"], runs.iterrows(), strict=True):
        own = rows[rows["stepsize"] == facts["stepsize"]].set_index("step")
        columns = pd.DataFrame(run["columns"]).set_index("step")
        for name in ("loss", "normalized_margin", "param_norm"):
            expected = own.loc[columns.index, name]
            np.testing.assert_allclose(columns[name], expected, rtol=1e-5)
        np.testing.assert_allclose(columns["time"], columns.index * facts["stepsize"])
        assert run["change"] == facts["last_increase_step"]
        assert columns.index[0] == 0 and columns.index[-1] == 300


def test_time_and_evaluations_are_axes_where_they_are_recorded():
    def change(frame):
        if "step" in frame:
            return frame.assign(time=frame["step"] * 7.0, evaluations=frame["step"] * 2)
        return frame

    found = explored(change=change)
    assert [axis["column"] for axis in found["axes"]] == ["step", "time", "evaluations"]
    columns = found["runs"][0]["columns"]
    assert columns["time"][-1] == 2100 and columns["evaluations"][-1] == 600


def test_policies_are_curves_where_stepsizes_are_null():
    def change(frame):
        adaptive = frame["stepsize"] == 4
        return frame.assign(
            policy=np.where(adaptive, "armijo", "constant"),
            stepsize=frame["stepsize"].where(~adaptive),
            eta=frame["eta"].where(~adaptive),
        )

    assert [run["curve"] for run in explored(change=change)["runs"]] == ["armijo", "30"]


def test_a_diverged_run_ends_where_it_diverged():
    found = explored(diverge={(0, 120.0): 20})
    run = next(run for run in found["runs"] if run["status"] == "diverged")
    known = [s for s, loss in zip(*map(run["columns"].get, ("step", "loss")), strict=True) if loss]
    assert max(known) < 20


def test_of_very_many_runs_some_are_shown_and_the_rest_counted(monkeypatch):
    monkeypatch.setattr(explorer, "_MOST_RUNS", 3)
    seeds = {"train": {"eta": [1, 30], "seeds": [0, 1, 2, 3], "steps": 4}}
    found = explored(descend.XOR | seeds)
    assert len(found["runs"]) == 3 and found["left_out"] == 5


# Thinning


@given(st.lists(st.floats(-4, 4), min_size=4, max_size=30), st.booleans())
def test_rows_left_out_lie_on_lines_between_those_kept(exponents, flat):
    steps = np.unique(np.geomspace(1, 1e4, len(exponents)).round())
    values = 10.0 ** np.array(exponents[: len(steps)])
    values[len(values) // 2 :] = 1.0 if flat else values[len(values) // 2 :]
    run = pd.DataFrame({"step": steps, "loss": values})
    stays = explorer.kept(run, ["loss"])
    for x in (steps, np.log(steps)):
        for y in (values, np.log(values)):
            drawn = np.interp(x, x[stays], y[stays])
            assert np.abs(drawn - y).max() <= 2 * explorer._TOLERANCE * np.ptp(y) + 1e-12


def test_a_straight_stretch_is_thinned_and_a_bent_one_not():
    steps = np.arange(1, 201.0)
    run = pd.DataFrame({"step": steps, "loss": np.where(steps < 100, 5.0, 5 + np.sin(steps))})
    stays = explorer.kept(run, ["loss"])
    assert stays[:98].sum() <= 3 and stays[100:].mean() > 0.95


def picture(rows: pd.DataFrame, quantity: str, scales: tuple[str, str]) -> np.ndarray:
    """The explorer's chart of one run, as pixels."""
    import vl_convert

    spec = explorer.chart() | {"width": 900}
    points = rows.rename(columns={"step": "x", quantity: "y"})[["x", "y"]].query("x > 0")
    values = points.assign(run=0, curve="1", seed=0, colour="#000000").to_dict("records")
    spec["datasets"] = {"rows": values, "marks": []}
    for layer in spec["layer"]:
        for channel, scale in zip("xy", scales, strict=True):
            zero = {} if scale == "log" else {"zero": False}
            layer["encoding"][channel]["scale"] = {"type": scale, "nice": False} | zero
    png = vl_convert.vegalite_to_png(spec)
    return np.asarray(Image.open(io.BytesIO(png))).astype(int)


def through_the_page(rows: pd.DataFrame) -> pd.DataFrame:
    columns = {name: rows[name].tolist() for name in ("step", "loss")}
    (run,) = unpacked.curves(packing.curves({"runs": [{"columns": columns}]}))["runs"]
    return pd.DataFrame(run["columns"])


@pytest.mark.parametrize("scales", [("log", "log"), ("linear", "log"), ("linear", "linear")])
def test_neither_thinning_nor_packing_changes_a_pixel(scales):
    _, rows, _, _ = descend.trained(descend.XOR)
    rows = rows[rows["stepsize"] == 120]
    late = rows["step"] > 100
    rows.loc[late, "loss"] = rows.loc[late, "loss"].iloc[0]  # something to leave out
    stays = explorer.kept(rows, ["loss"])
    assert stays.sum() < len(rows) - 10
    whole, thinned = (
        picture(each, "loss", scales) for each in (rows, through_the_page(rows[stays]))
    )
    assert whole.shape == thinned.shape and np.ptp(whole) > 100
    assert np.array_equal(whole, thinned)
