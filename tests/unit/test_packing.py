import math
import re

import numpy as np
import pytest
import unpacked
from hypothesis import example, given
from hypothesis import strategies as st

from largestep.report import packing
from largestep.report.compact_paths import compact, relative


def through(values, steps=None) -> list:
    steps = list(range(len(values))) if steps is None else steps
    run = {"seed": 3, "columns": {"step": steps, "loss": values}}
    (found,) = unpacked.curves(packing.curves({"runs": [run]}))["runs"]
    assert found["columns"]["step"] == steps and found["seed"] == 3
    return found["columns"]["loss"]


@given(st.lists(st.floats(), min_size=1, max_size=12))
@example([1e308, -1e308, 5e-324, 0.0])
@example([math.nan, math.inf])
@example([2.5] * 5)
@example([0.0, 0.0])
def test_numbers_come_back_to_a_millionth_and_zero_as_zero(values):
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0)
    for value, found in zip(values, through(values), strict=True):
        if not math.isfinite(value):
            assert found is None
        elif value == 0:
            assert found == 0
        elif math.isfinite(found) or abs(value) < 1.7e308:  # else rounded up beyond what is finite
            assert found == pytest.approx(value, rel=1e-6, abs=1e-250 * largest)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1), st.lists(st.floats(0, 1), min_size=3, max_size=20))
def test_of_a_narrow_range_the_digits_are_those_of_the_range(centre, width, shares):
    values = [centre + width * share for share in shares]
    reach = max(np.ptp(values), 1e-8 * max(map(abs, values)))
    np.testing.assert_allclose(through(values), values, rtol=1e-12, atol=1e-6 * reach)


def test_multiples_of_the_step_and_smooth_curves_take_few_bytes():
    steps = np.unique(np.geomspace(1, 1e5, 300).round())
    noise = np.random.default_rng(0).random(len(steps))

    def size(values):
        run = {"columns": {"step": steps, "loss": values}}
        return len(packing.curves({"runs": [run]}))

    line, smooth, rough = (size(values) for values in (3 * steps, 1 / (1 + steps), noise))
    assert line < smooth - 300 and smooth < rough - 400
    assert through(3 * steps[:9], [int(step) for step in steps[:9]]) == list(3 * steps[:9])


def test_equal_contents_are_equal_bytes():
    run = {"columns": {"step": [0, 1], "loss": [1.0, 0.5]}}
    assert packing.curves({"runs": [run]}) == packing.curves({"runs": [run]})
    assert unpacked.unpacked(packing.packed({"a": [1, "ü"]})) == {"a": [1, "ü"]}


# Paths


def points(path: str) -> list:
    """The commands of a path with absolute points, as a browser reads them."""
    found, pen, start = [], (0.0, 0.0), (0.0, 0.0)
    for command, rest in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        numbers = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
        size = {"m": 2, "l": 2, "q": 4, "c": 6, "z": 0}[command.lower()]
        if not size:
            pen = start
            found.append(("z", []))
        for k in range(0, len(numbers), size or 1):
            origin = pen if command.islower() else (0.0, 0.0)
            absolute = [n + origin[i % 2] for i, n in enumerate(numbers[k : k + size])]
            pen = tuple(absolute[-2:])
            start = pen if command in "mM" and k == 0 else start
            found.append(("l" if command in "mM" and k else command.lower(), absolute))
    return found


number = st.floats(-1000, 1000).map(lambda n: f"{n:.6f}")
commands = st.one_of(
    st.tuples(st.just("L"), number, number),
    st.tuples(st.just("M"), number, number),
    st.tuples(st.just("Q"), *[number] * 4),
    st.tuples(st.just("C"), *[number] * 6),
    st.just(("z",)),
)


@given(st.lists(commands, max_size=12))
def test_a_compact_path_has_the_points_of_the_long_one_to_a_hundredth(parts):
    path = "\n".join(map(" ".join, [("M", "1", "2"), *parts]))
    for (one, before), (other, after) in zip(points(path), points(relative(path)), strict=True):
        assert one == other
        np.testing.assert_allclose(after, before, atol=0.005 + 1e-9)


def test_paths_are_compact_and_the_rest_of_the_markup_is_as_it_was():
    markup = '<path id="d1" d="M 10.123 20 \nL 10.5 19.5 \nL 11 19.5 z"/><rect x="0.123456"/>'
    assert compact(markup) == '<path id="d1" d="m10.12 20 .38-.5 .5 0z"/><rect x="0.123456"/>'
    assert relative("M 0 0 A 1 1 0 0 0 2 2") == "M 0 0 A 1 1 0 0 0 2 2"
    assert relative("") == ""
