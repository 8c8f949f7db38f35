"""Whether a quantity moves towards its limit as the logarithm of the step grows.

The paper's rates are limits, which finite runs approach like 1/log t: a distance from the limit
says little, its trend over octaves (steps t, 2t, 4t) says more.
"""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from largestep.claims.evidence import Run
from largestep.claims.verdicts import Finding, Verdict, at_most, count, undecided

TOLERANCE = (
    "within 1/ln T of the limit, the size of the corrections of order 1/log t; or closer to it "
    "than two octaves before by half of what 1/log t brings"
)


def towards(run: Run, values: pd.Series, limit: float, power: int = 1) -> Finding:
    """Judge `values`, by step at powers of two in the stable phase, against their `limit`.

    The distance is expected to fall like 1/(log t)^power. It is close enough at 1/(ln T)^power;
    farther away it must have shrunk, over the last two octaves, by half of what that law says.
    Violated only where the run was long enough to know: the quantity came no closer in three
    octaves although the stable phase has made most of the weights (||w_T|| >= 2 ||w_s||).
    """
    values = values.dropna()
    if len(values) < 3:
        if run.facts["status"] == "frozen":
            return undecided("rounding froze the run within three octaves of its stable phase")
        return undecided(
            f"three octaves of the stable phase need {count(8 * run.stable_step)} steps"
        )
    last = int(values.index[-1])
    distance = (values - limit).abs().to_numpy()
    shrinking = 1 - power / math.log2(last)
    allowed = max(math.log(last) ** -power, distance[-3] * shrinking)
    note = f"{values.iloc[-1]:.4g} at step {last:,}, limit {limit:g}"
    found = at_most(distance[-1], allowed, note=note, step=last)
    if found.verdict is Verdict.HOLDS:
        return found
    enough = _doubling_step(run)
    if enough <= last and len(values) >= 4 and distance[-1] >= distance[-4] * shrinking:
        return found
    needed = 2 * last if enough <= last else enough
    more = f"about {count(needed)} steps" if math.isfinite(needed) else "more steps than fit a run"
    return replace(
        found,
        verdict=Verdict.INCONCLUSIVE,
        note=f"{note}: the limit does not rule yet, it would take {more}",
    )


def _doubling_step(run: Run) -> float:
    """The step by which the stable phase has doubled ||w_s||, at the growth of its last octave."""
    norm = run.stable["param_norm"]
    missing = 2 * norm.iloc[0] - norm.iloc[-1]
    if missing <= 0:
        return run.last_step
    growth = norm.iloc[-1] - np.interp(run.last_step / 2, norm.index, norm)
    octaves = missing / growth if growth > 0 else math.inf
    return run.last_step * 2**octaves if octaves < 100 else math.inf
