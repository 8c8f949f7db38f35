"""The lock has the hashes of what a set-up installs, and follows the constraints."""

import importlib.util
from pathlib import Path

ENVS = Path(__file__).parents[2] / "envs"

_spec = importlib.util.spec_from_file_location("lock", ENVS / "lock.py")
lock = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lock)


def test_the_lock_has_every_pin_that_a_set_up_installs_with_hashes():
    """Else pip would install the missing ones by version alone; `python envs/lock.py` mends it."""
    text = (ENVS / "lock.txt").read_text()
    assert _versions(lock.chosen()).items() <= _versions(lock.pins(text)).items()
    assert all("--hash=sha256:" in entry for entry in text.split("==")[1:])


def _versions(pins: dict[str, str]) -> dict[str, str]:
    """Without the names, which the two spell differently."""
    return {name: line.partition("==")[2] for name, line in pins.items()}
