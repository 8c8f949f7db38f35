"""The engine from Python: what docs/engine.md shows is run as it stands there."""

import re
from pathlib import Path

import pytest

import largestep
from largestep import XOR, LeakySoftplus, TwoLayer, train

PAGE = Path(__file__).parents[2] / "docs/engine.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS)
def test_the_code_of_the_page_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code, names)
    assert names["rows"]["loss"].notna().all()
    assert not list(tmp_path.iterdir()) or (tmp_path / "xor.png").stat().st_size > 10_000


def test_every_public_name_is_on_the_page_or_a_leaky_form():
    text = PAGE.read_text()
    for name in largestep.__all__:
        assert getattr(largestep, name).__name__ == name
        assert f"`{name.removeprefix('Leaky')}`" in text or name == "Experiment"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        largestep.nothing  # noqa: B018


def test_rows_tell_their_method():
    rows = train(XOR(), TwoLayer(width=4, activation=LeakySoftplus()), eta=[1.0], steps=8)
    assert set(rows["policy"]) == {"constant"} and set(rows["loss_function"]) == {"logistic"}
    assert rows["time"].tolist() == [4.0 * step for step in rows["step"]]
