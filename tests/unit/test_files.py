"""Files appear whole or not at all, and what a killed process leaves behind goes."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from largestep.common import locks
from largestep.common.errors import UserError
from largestep.common.files import replacing

WRITER = """
import sys, time
from pathlib import Path
from largestep.common.files import replacing
with replacing(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """Another process that has begun to write a.parquet, and waits."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "a.parquet")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("name", ["a.parquet", "b.parquet"])
def test_what_a_killed_process_was_writing_goes_with_the_next_file(tmp_path, writer, name):
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert len(list(tmp_path.iterdir())) == 1
    with replacing(tmp_path / name) as partial:
        partial.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_living_writer_is_left_alone(tmp_path, writer):
    with replacing(tmp_path / "a.parquet") as partial:
        partial.write_text("first")
    assert (tmp_path / "a.parquet").read_text() == "first"
    writer.communicate()
    assert (tmp_path / "a.parquet").read_text() == "half"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as partial:
        partial.write_text("new")
        raise ZeroDivisionError
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_lock_of_a_file_that_was_deleted_meanwhile_is_none(tmp_path):
    """Who sweeps holds the lock, deletes the file, and lets go; who waited must not take that."""
    path = tmp_path / "a"
    sweeper = locks.acquire(path)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(locks.acquire, path)
        while not waiting.running():
            pass
        time.sleep(0.2)  # for it to open the file
        path.unlink()
        sweeper.close()
        held = waiting.result(timeout=10)
    with pytest.raises(UserError):
        locks.acquire_or_refuse(path, "a")
    held.close()
    locks.acquire_or_refuse(path, "a").close()
