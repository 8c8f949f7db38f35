"""How often claims hold though they are false by little, and though they are true: by simulation.

python tests/power.py           prints the table
python tests/power.py --write   puts it into docs/claims.md, between its two marks

The claims' own decisions judge the simulated numbers.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from largestep.claims import horizon, phases, policies, transition, trend
from largestep.claims.evidence import Run
from largestep.claims.held_out import ahead
from largestep.claims.statistics import log_log_slope
from largestep.claims.transition import beyond_interval
from largestep.claims.verdicts import Finding, Verdict

PAGE = Path(__file__).parents[1] / "docs/claims.md"
BEGIN, END = "<!-- power: python tests/power.py --write -->\n", "<!-- end of power -->\n"
TIMES = 2000

Draw = Callable[[np.random.Generator], Finding]


def chance(draw: Draw) -> str:
    rng = np.random.default_rng(0)
    held = sum(draw(rng).verdict is Verdict.HOLDS for _ in range(TIMES))
    return f"{100 * held / TIMES:.1f}%"


def lower_loss(seeds: int, spread: float, ratio: float) -> Draw:
    """Losses whose ratio has this median over seeds, and a lognormal spread."""

    def draw(rng):
        ratios = ratio * np.exp(spread * rng.standard_normal(seeds))
        pairs = [(pd.Series({"loss": 1.0}), pd.Series({"loss": each})) for each in ratios]
        return phases._lower(WithoutThreshold, pairs, 0, {})

    return draw


class WithoutThreshold:
    """A study of an MLP: no catapult excuses it."""

    smoothness = None


def of_seeds(decide: Callable[[list[float]], Finding], seeds: int, spread: float, mean: float):
    """A decision about one number per seed."""
    return lambda rng: decide(list(mean + spread * rng.standard_normal(seeds)))


def branch(decide: Callable[[float], Finding], etas: list[float], seeds: int, spread, true) -> Draw:
    """A slope fitted through s at these stepsizes, known up to a relative spread."""

    def draw(rng):
        noisy = [
            (etas, [eta**true * np.exp(spread * rng.standard_normal()) for eta in etas])
            for _ in range(seeds)
        ]
        slope, half = log_log_slope(noisy)
        return beyond_interval(decide(slope), half)

    return draw


def horizons(decide: Callable[[dict], Finding], spread: float, true: float) -> Draw:
    """Losses by T that fall like T^true, known up to a relative spread."""

    def draw(rng):
        noisy = {T: T**true * np.exp(spread * rng.standard_normal()) for T in 2 ** np.arange(8, 14)}
        return decide(noisy)

    return draw


def limit(last: int, power: int, least: float, law: tuple[float, float]) -> Draw:
    """A quantity off its limit by offset + a / (log t)^pace with a random a; law: offset, pace."""
    offset, pace = law

    def draw(rng):
        steps = np.array([last // 8, last // 4, last // 2, last])
        away = offset + rng.uniform(0, 1) / np.log(steps) ** pace
        facts = {"status": "ok", "status_step": None, "stable_phase_step": last // 16}
        rows = pd.DataFrame({"param_norm": np.log(steps)}, index=steps)
        return trend.towards(Run(facts, rows), pd.Series(away, steps), 0, power, least)

    return draw


def outrun(spread: float, slopes: tuple[float, float]) -> Draw:
    """Losses with these slopes over the last two octaves, known up to a relative spread."""

    def draw(rng):
        steps = 2 ** np.arange(8, 11)
        logs = np.append(0, np.cumsum(slopes)) * np.log(2) + spread * rng.standard_normal(3)
        rows = pd.DataFrame({"loss": np.exp(logs), "margin": 1.0}, index=steps)
        facts = {"policy": "loss-normalized", "seed": 0, "stepsize": None}
        return next(iter(policies.loss_normalized_beats_powers.judge(Lone(Run(facts, rows)))))

    return draw


class Lone:
    """A study of one run."""

    diverged = ()

    def __init__(self, run: Run):
        self.runs = (run,)


@dataclass(frozen=True)
class Case:
    """A claim; a simulation of its decision; false and true worlds, by their names."""

    claim: str
    draw: Callable[..., Draw]
    false: Mapping[str, object]
    true: Mapping[str, object]
    assumed: str

    @property
    def row(self) -> str:
        worlds = (
            ", ".join(f"{name}: {chance(self.draw(world))}" for name, world in given.items())
            for given in (self.false, self.true)
        )
        names = ", ".join(f"`{name}`" if "-" in name else name for name in self.claim.split(", "))
        return f"| {' | '.join((names, *worlds, self.assumed))} |\n"


SEEDS = (3, 5, 10)
EXACT = {0.0: "known exactly", 0.01: "known to 1%"}
LIMITS = {"limit off by 0.05": (0.05, 1), "limit off by 0.1": (0.1, 1)}

CASES = [
    *(
        Case(
            "larger-stepsize-lower-loss",
            partial(lower_loss, n, 0.1),
            {"equal losses": 1.0},
            {"10% lower": 0.9},
            f"{n} seeds, whose ratios differ by 10%",
        )
        for n in SEEDS
    ),
    *(
        Case(
            "larger-stepsize-higher-test-accuracy, fig3-test-accuracy",
            partial(of_seeds, ahead, n, 0.01),
            {"equal accuracies": 0.0},
            {"2 points ahead": 0.02},
            f"{n} seeds, whose gaps differ by 1 point",
        )
        for n in SEEDS
    ),
    *(
        Case(
            "thm41-slope",
            partial(branch, transition.like_one_over, [16.0, 32.0, 64.0], n, spread),
            {"slope -0.8": -0.8},
            {"slope -1": -1.0},
            f"3 stepsizes, {n} seeds, s known to {100 * spread:g}%",
        )
        for n in (1, 5)
        for spread in (0.002, 0.02)
    ),
    *(
        Case(
            "thm41-plateau",
            partial(branch, transition.level, [311.6, 400.0, 409.6], n, 0.03),
            {"slope -0.6": -0.6},
            {"slope -0.1": -0.1},
            f"the demo's 3 stepsizes, {n} seeds, s known to 3%",
        )
        for n in (1, 3, 5)
    ),
    *(
        Case(
            claim,
            partial(horizons, decide, spread),
            false,
            true,
            f"T = 2^8 to 2^13, losses {known}",
        )
        for spread, known in EXACT.items()
        for claim, decide, false, true in (
            (
                "cor42-quadratic",
                horizon.fast,
                {"slope -1.85": -1.85},
                {"slope -2": -2.0},
            ),
            (
                "monotone-lower-bound",
                horizon.slow,
                {"slope -1.15": -1.15},
                {"slope -1": -1.0},
            ),
        )
    ),
    *(
        Case(
            claim, partial(limit, last, power, least), false, true, f"a uniform in [0, 1], T = {T}"
        )
        for last, T in ((2**13, "2^13"), (2**19, "2^19"))
        for claim, power, least, false, true in (
            ("the limits of claims 18, 19, 21 and 22", 1, 0.5, LIMITS, {"off by a/ln t": (0, 1)}),
            ("thm22-direction", 2, 1.5, {"a/ln t": (0, 1)}, {"a/(ln t)^2": (0, 2)}),
        )
    ),
    *(
        Case(
            "steepest-own-norm",
            partial(of_seeds, ahead, n, 0.1),
            {"equal margins": 0.0},
            {"20% ahead": np.log(1.2)},
            f"{n} seeds, whose ratios differ by 10%",
        )
        for n in SEEDS
    ),
    *(
        Case(
            "constant-has-half-the-gain",
            partial(of_seeds, policies.half_of_it, n, 0.05),
            {"share 0.45": 0.45, "share 0.5": 0.5},
            {"share 0.6": 0.6},
            f"{n} seeds, whose shares differ by 0.05",
        )
        for n in SEEDS
    ),
    *(
        Case(
            "loss-normalized-beats-powers",
            partial(outrun, spread),
            {"t^-1.9": (-1.5, -1.9), "the power t^-3": (-3.0, -3.0)},
            {"exp(-t)": (-3.0, -6.0)},
            f"losses {known}",
        )
        for spread, known in EXACT.items()
    ),
]


def table() -> str:
    head = "| claim | holds though false | holds though true | simulated |\n|---|---|---|---|\n"
    return head + "".join(case.row for case in CASES)


def with_table(page: str, found: str) -> str:
    before, rest = page.split(BEGIN)
    return before + BEGIN + "\n" + found + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into docs/claims.md")
    found = table()
    if parser.parse_args().write:
        PAGE.write_text(with_table(PAGE.read_text(), found))
    else:
        print(found, end="")
