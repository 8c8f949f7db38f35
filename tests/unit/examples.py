"""Where claims' examples register: trajectories that satisfy a claim, and wrong ones.

For a new claim, put into a file `examples_<theme>.py` beside this one

- one function under `@example("id")`, slack -> study: inside the claim's bound by that share of
  it, or beyond it where slack is negative; slack is in [-0.3, 0.3];
- three or more under `@wrong("id")`, size -> study, size in (0, 1]: runs that are wrong by more or
  less, of which the claim may never say that it holds.
"""

from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import true_runs
from constructed import build

from largestep.claims.evidence import Study

EXAMPLES: dict[str, Callable[[float], Study]] = {}
WRONG: dict[str, dict[str, Callable[[float], Study]]] = defaultdict(dict)


def example(claim: str):
    def register(function):
        EXAMPLES[claim] = function
        return function

    return register


def wrong(*claims: str):
    def register(function):
        for claim in claims:
            WRONG[claim][function.__name__] = function
        return function

    return register


def load() -> None:
    for path in sorted(Path(__file__).parent.glob("examples_*.py")):
        import_module(path.stem)


def missing(claim: str) -> str:
    """What a claim lacks, in one line; empty if nothing."""
    lacks = [] if claim in EXAMPLES else [f'an @example("{claim}")']
    if (few := 3 - len(WRONG[claim])) > 0:
        lacks.append(f'{few} more @wrong("{claim}")')
    return f"{claim}: write {' and '.join(lacks)}, see {__file__}" if lacks else ""


def fact(of, name, value):
    """Runs with another value in one column of runs.parquet, given or a function of the row."""

    def change(facts, columns):
        facts[name] = value(facts) if callable(value) else value

    return build(of, change)


def scaled(of, name, factor):
    """Runs with one column of trajectories.parquet multiplied."""

    def change(facts, columns):
        columns[name] = columns[name] * factor

    return build(of, change)


def true(of, change=None):
    """True runs, changed."""
    return build(of, change, start=true_runs.run)


def diverged(of, step, start=None):
    """All runs diverge at a step, or at one that follows from the row of runs.parquet."""

    def change(facts, columns):
        at = step(facts) if callable(step) else step
        facts |= {"status": "diverged", "status_step": int(at)}

    return build(of, change, **({"start": start} if start else {}))
