"""How often claims hold though they are false by little, and though they are true: by simulation.

python tests/power.py           prints the table
python tests/power.py --write   puts it into docs/claims.md, between its two marks

The claims' own decisions judge the simulated numbers.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from largestep.claims import horizon, phases, trend
from largestep.claims.evidence import Run
from largestep.claims.held_out import ahead
from largestep.claims.statistics import log_log_slope
from largestep.claims.transition import beyond_interval
from largestep.claims.verdicts import Finding, Verdict, at_least, at_most

PAGE = Path(__file__).parents[1] / "docs/claims.md"
BEGIN, END = "<!-- power: python tests/power.py --write -->\n", "<!-- end of power -->\n"
TIMES = 2000

Draw = Callable[[np.random.Generator], Finding]


def chance(draw: Draw) -> str:
    rng = np.random.default_rng(0)
    held = sum(draw(rng).verdict is Verdict.HOLDS for _ in range(TIMES))
    return f"{100 * held / TIMES:.1f}%"


def lower_loss(seeds: int, ratio: float, spread: float) -> Draw:
    """Losses whose ratio has this median over seeds, and a lognormal spread."""

    def draw(rng):
        ratios = ratio * np.exp(spread * rng.standard_normal(seeds))
        pairs = [(pd.Series({"loss": 1.0}), pd.Series({"loss": each})) for each in ratios]
        return phases._lower(WithoutThreshold, pairs, 0, {})

    return draw


class WithoutThreshold:
    """A study of an MLP: no catapult excuses it."""

    smoothness = None


def accuracy(seeds: int, gap: float, spread: float) -> Draw:
    return lambda rng: ahead(list(gap + spread * rng.standard_normal(seeds)))


def slope(seeds: int, etas: list[float], true: float, spread: float) -> tuple[float, float]:
    def fitted(rng):
        noisy = [
            (etas, [eta**true * np.exp(spread * rng.standard_normal()) for eta in etas])
            for _ in range(seeds)
        ]
        return log_log_slope(noisy)

    return fitted


def branch(seeds: int, true: float, spread: float) -> Draw:
    fitted = slope(seeds, [16.0, 32.0, 64.0], true, spread)

    def draw(rng):
        found, half = fitted(rng)
        return beyond_interval(at_most(abs(found + 1), 0.15), half)

    return draw


def plateau(seeds: int, true: float, spread: float) -> Draw:
    fitted = slope(seeds, [311.6, 400.0, 409.6], true, spread)

    def draw(rng):
        found, half = fitted(rng)
        return beyond_interval(at_least(found, -0.5), half)

    return draw


def horizons(true: float, spread: float, bound: Callable, at: float, pick: Callable) -> Draw:
    T = [2**k for k in range(8, 14)]

    def draw(rng):
        noisy = {t: t**true * np.exp(spread * rng.standard_normal()) for t in T}
        return bound(pick(horizon.local_slopes(noisy)), at)

    return draw


def limit(last: int, offset: float, pace: float, power: int = 1, least: float = 0.5) -> Draw:
    """A quantity that tends to `offset` off its limit, from a random multiple of 1/(log t)^pace."""

    def draw(rng):
        steps = np.array([last // 8, last // 4, last // 2, last])
        away = offset + rng.uniform(0, 1) / np.log(steps) ** pace
        facts = {"status": "ok", "status_step": None, "stable_phase_step": last // 16}
        rows = pd.DataFrame({"param_norm": np.log(steps)}, index=steps)
        return trend.towards(Run(facts, rows), pd.Series(away, steps), 0, power, least)

    return draw


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Claim; how false, and how true, with the chance that it holds; what was assumed."""
    for seeds in (3, 5, 10):
        yield (
            "larger-stepsize-lower-loss",
            f"equal losses: {chance(lower_loss(seeds, 1.0, 0.1))}",
            f"10% lower: {chance(lower_loss(seeds, 0.9, 0.1))}",
            f"{seeds} seeds, whose ratios differ by 10%",
        )
    for seeds in (3, 5, 10):
        yield (
            "larger-stepsize-higher-test-accuracy",
            f"equal accuracies: {chance(accuracy(seeds, 0.0, 0.01))}",
            f"2 points ahead: {chance(accuracy(seeds, 0.02, 0.01))}",
            f"{seeds} seeds, whose gaps differ by 1 point",
        )
    for seeds in (1, 5):
        for spread in (0.002, 0.02):
            yield (
                "thm41-slope",
                f"slope -0.8: {chance(branch(seeds, -0.8, spread))}",
                f"slope -1: {chance(branch(seeds, -1.0, spread))}",
                f"3 stepsizes, {seeds} seeds, s known to {100 * spread:g}%",
            )
    for seeds in (1, 3, 5):
        yield (
            "thm41-plateau",
            f"slope -0.6: {chance(plateau(seeds, -0.6, 0.03))}",
            f"slope -0.1: {chance(plateau(seeds, -0.1, 0.03))}",
            f"the demo's 3 stepsizes, {seeds} seeds, s known to 3%",
        )
    for spread in (0.0, 0.01):
        known = "exactly" if not spread else f"to {100 * spread:g}%"
        yield (
            "cor42-quadratic",
            f"slope -1.85: {chance(horizons(-1.85, spread, at_most, -1.9, np.max))}",
            f"slope -2: {chance(horizons(-2.0, spread, at_most, -1.9, np.max))}",
            f"T = 2^8 to 2^13, losses known {known}",
        )
        yield (
            "monotone-lower-bound",
            f"slope -1.15: {chance(horizons(-1.15, spread, at_least, -1.1, np.min))}",
            f"slope -1: {chance(horizons(-1.0, spread, at_least, -1.1, np.min))}",
            f"T = 2^8 to 2^13, losses known {known}",
        )
    for last in (2**13, 2**19):
        yield (
            "the limits of Theorem 2.2",
            f"limit off by 0.05: {chance(limit(last, 0.05, 1))}, by 0.1: "
            f"{chance(limit(last, 0.1, 1))}",
            f"right limit: {chance(limit(last, 0.0, 1))}",
            f"distance a/ln t, a uniform in [0, 1], T = 2^{last.bit_length() - 1}",
        )
        yield (
            "thm22-direction",
            f"angles a/ln t: {chance(limit(last, 0.0, 1, 2, 1.5))}",
            f"angles a/(ln t)^2: {chance(limit(last, 0.0, 2, 2, 1.5))}",
            f"a uniform in [0, 1], T = 2^{last.bit_length() - 1}",
        )


def table() -> str:
    head = "| claim | holds though false | holds though true | simulated |\n|---|---|---|---|\n"
    named = ((f"`{c}`" if "-" in c else c, *rest) for c, *rest in rows())
    return head + "".join(f"| {' | '.join(row)} |\n" for row in named)


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
