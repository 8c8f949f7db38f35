"""What the page's scripts unpack (templates/unpack.js): compressed, as text.

Curves are most of a page. A number of them is kept to a millionth: as v = scale sinh(unit k), with
an integer k, which is fine near zero and far from it and keeps zero itself. Of a smooth curve the
differences of k are small; the four bytes of all of them, sorted by significance, compress well.
"""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

_MILLIONTH = 1e-6
_FINEST = 1e-8  # of a value: a smaller range has fewer digits
_HIGHEST = 1e300  # of a line, so that its differences are numbers
_SPAN = 1e-250  # of the largest value: smaller ones are as fine as this
_ORDERS = range(4)  # of differences, of which a column takes the one with the fewest bits


def packed(value: Any) -> str:
    """JSON, compressed."""
    return _compressed(_json(value))


def curves(data: Mapping[str, Any]) -> str:
    """The explorer's data of an experiment: a line of JSON, then the integers of all columns."""
    steps = np.unique(np.concatenate([[], *(run["columns"]["step"] for run in data["runs"])]))
    coded = [_run(run, steps) for run in data["runs"]]
    told = {**data, "steps": steps.astype(int).tolist(), "runs": [run for run, _ in coded]}
    numbers = np.concatenate(
        [np.empty(0, np.int32), *(part for _, parts in coded for part in parts)]
    )
    unsigned = ((numbers << 1) ^ (numbers >> 31)).view("<u4")
    return _compressed(_json(told) + b"\n" + unsigned.view(np.uint8).reshape(-1, 4).T.tobytes())


def _run(run: Mapping[str, Any], steps: np.ndarray) -> tuple[dict, list[np.ndarray]]:
    """A run whose columns say how their integers, which follow, are read."""
    own = np.asarray(run["columns"]["step"], float)
    places = np.searchsorted(steps, own).astype(np.int32)
    columns, numbers = {}, [_differences(places, 1)]
    for name, values in run["columns"].items():
        if name != "step":
            columns[name], found = _column(np.asarray(values, float), own)
            numbers += found
    return {**run, "rows": len(own), "columns": columns}, numbers


def _column(values: np.ndarray, steps: np.ndarray) -> tuple[dict, list[np.ndarray]]:
    """How to read a column, and its integers; first, unless it is whole, those of its rows."""
    if (line := _line(values, steps)) is not None:
        return {"line": line}, []
    known = np.isfinite(values)
    whole, values = known.all(), values[known]
    places = [] if whole else [_differences(np.flatnonzero(known), 1)]
    sizes = np.abs(values[values != 0])
    scale = max(sizes.min(), sizes.max() * _SPAN) if len(sizes) else 1.0
    bent = np.arcsinh(values / scale)
    unit = _unit(values, bent)
    integers = np.rint(bent / unit).astype(np.int64)
    first = integers[0] if len(integers) else 0
    order, found = min(
        ((order, _differences(integers - first, order)) for order in _ORDERS),
        key=lambda each: np.log2(1 + np.abs(each[1].astype(float))).sum(),
    )
    how = {"scale": float(scale), "unit": unit, "from": int(first), "order": order}
    return how if whole else {**how, "values": len(values)}, [*places, found]


def _line(values: np.ndarray, steps: np.ndarray) -> list[float] | None:
    """Of a multiple of the step, as time is, value and slope at step 0."""
    if len(steps) < 2 or not np.abs(values).max() < _HIGHEST:
        return None
    slope = (values[-1] - values[0]) / (steps[-1] - steps[0])
    begin = values[0] - slope * steps[0]
    off = np.abs(begin + slope * steps - values)
    near = off <= _MILLIONTH / 100 * np.minimum(np.abs(values), np.ptp(values))
    return [float(begin), float(slope)] if near.all() else None


def _unit(values: np.ndarray, bent: np.ndarray) -> float:
    """A millionth of the values or of their range, the smaller; differences have 32 bits."""
    extent = np.ptp(values / np.abs(values).max()) if values.any() else 0
    if not extent:
        return float(np.arcsinh(1))  # one integer stands for the constant itself
    return max(_MILLIONTH * min(1, max(extent, _FINEST)), np.ptp(bent) / 2**30)


def _differences(integers: np.ndarray, order: int) -> np.ndarray:
    """Modulo 2^32, as their sums will be."""
    return np.diff(integers, n=order, prepend=[0] * order).astype(np.int32)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _compressed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()
