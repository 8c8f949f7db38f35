"""Show the size of the run store; with --prune, delete the runs that no result uses."""

import argparse
import contextlib
from pathlib import Path

from largestep.common import locks
from largestep.results import tables
from largestep.results.store import Store
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    with contextlib.ExitStack() as stack:
        if arguments.prune:  # before looking, or what a run finishes meanwhile would be unused
            for lock in arguments.results.glob("*/.lock"):
                stack.enter_context(locks.acquire_or_refuse(lock, f"{lock.parent}/"))
        store = Store(arguments.results / "store")
        sizes = store.keys()
        used = {
            key
            for path in arguments.results.glob("*/runs/*/*.runs.parquet")
            for key in tables.read(path)["key"]
        }
        unused = sizes.keys() - used - store.unfinished()
        print(f"{len(sizes)} runs, {_mib(sizes.values())}")
        print(f"{len(unused)} of them used by no result, {_mib(sizes[key] for key in unused)}")
        if arguments.prune:
            store.prune(keep=sizes.keys() - unused)
            print(f"deleted {len(unused)} runs")


def _mib(sizes) -> str:
    return f"{sum(sizes) / 2**20:.1f} MiB"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--prune", action="store_true")
    main(run, parser)
