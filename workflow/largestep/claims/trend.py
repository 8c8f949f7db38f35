"""Whether a quantity moves towards its limit as the logarithm of the step grows.

The paper's rates are limits, which finite runs approach like a power of 1/log t. Closeness alone
says little: a quantity that moves away may still be close; so does a trend alone, far from the
limit. A limit is taken as reached only where both are seen.
"""

import math

import pandas as pd
from numpy import interp

from largestep.claims.evidence import Run
from largestep.claims.verdicts import Finding, Verdict, at_most, count, left_open, undecided

#: Octaves whose trend counts.
_OCTAVES = 3
#: A distance that falls like a smaller power of 1/log t than this does not fall.
_NO_TREND = 0.25

TOLERANCE = (
    "the trend: nearer in each of the last three octaves, and like (1/log t)^(1/2) or faster; "
    "closeness: 1/ln T, the size of corrections of order 1/log t"
)


def towards(
    run: Run, values: pd.Series, limit: float, power: int = 1, trend: float = 0.5
) -> Finding:
    """Judge `values`, by step at powers of two in the stable phase, against their `limit`.

    Theory lets the distance fall like 1/(log t)^power. It holds where the distance is at most
    1/(ln T)^power and has fallen in each of the last octaves, at least like 1/(log t)^trend.
    Violated only where it is farther away and has not moved closer although the stable phase has
    made most of the weights (||w_T|| >= 2 ||w_s||).
    """
    values = values.dropna().iloc[-_OCTAVES - 1 :]
    if len(values) <= _OCTAVES:  # an octave of the phase gives the first value, each more a change
        if run.facts["status"] == "frozen":
            note = "rounding froze the run within four octaves of its stable phase"
            return undecided(note, "a dtype of more digits")
        needed = count(2 ** (_OCTAVES + 1) * max(run.stable_step, 1))
        return undecided("fewer than four octaves of the stable phase", f"{needed} steps")
    last = int(values.index[-1])
    distance = (values - limit).abs()
    close = math.log(last) ** -power
    path = " -> ".join(f"{value:.4g}" for value in values)
    found = at_most(distance.iloc[-1], close, note=f"{path}, limit {limit:g}", step=last)
    nearing = bool((distance.diff().iloc[1:] <= 0).all())
    if found.verdict is Verdict.HOLDS and nearing and _fell(distance, trend):
        return found
    enough = _doubling_step(run)
    if found.verdict is Verdict.VIOLATED and enough <= last and not _fell(distance, _NO_TREND):
        return found
    why = "close, but nearing too slowly" if nearing else "close, but not nearing"
    why = "not close yet" if found.verdict is Verdict.VIOLATED else why
    needed = 2 * last if enough <= last else enough
    more = f"about {count(needed)} steps" if math.isfinite(needed) else "more steps than fit a run"
    return left_open(found, why, more)


def _fell(distance: pd.Series, power: float) -> bool:
    """Whether the distance fell from first to last at least like 1/(log step)^power."""
    first, last = distance.index[[0, -1]]
    return bool(distance.iloc[-1] <= distance.iloc[0] * (math.log(first) / math.log(last)) ** power)


def _doubling_step(run: Run) -> float:
    """The step by which the stable phase has doubled ||w_s||, at the growth of its last octave."""
    norm = run.stable["param_norm"]
    missing = 2 * norm.iloc[0] - norm.iloc[-1]
    if missing <= 0:
        return run.last_step
    growth = norm.iloc[-1] - interp(run.last_step / 2, norm.index, norm)
    octaves = missing / growth if growth > 0 else math.inf
    return run.last_step * 2**octaves if octaves < 100 else math.inf
