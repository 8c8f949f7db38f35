"""Stepsize policies: what looking at the loss gains, and how much of it a constant stepsize has."""

import math
from collections.abc import Iterator

import numpy as np

from largestep.claims.claim import claim, claim_per_run, decides_nothing, separable
from largestep.claims.evidence import Run, Study
from largestep.claims.statistics import half_interval
from largestep.claims.transition import beyond_interval
from largestep.claims.verdicts import Finding, Verdict, at_least, at_most, left_open, undecided
from largestep.configuration.experiment import Experiment
from largestep.results.best import TARGETS

#: A power of the number of steps that the loss must outrun, and does not at a constant stepsize.
_POWER = -2.0
#: How much steeper each octave must be (our choice): a power has 1, an exponential decrease 2.
_STEEPER = 1.2


def _reads(experiment: Experiment) -> bool:
    methods = experiment.train.methods or ()
    return {True, False} <= {each.policy.constant for each in methods if each.direction.plain}


def _loss_normalized(run: Run) -> bool:
    return run.facts["policy"].startswith("loss-normalized")


@claim_per_run(
    id="loss-normalized-beats-powers",
    statement="With stepsizes eta / L(w_t) the loss falls faster than 1/t^2, and ever faster: the "
    "lower bound Omega(1/T) of monotone runs is about constant stepsizes.",
    origin="extension",
    source="ours; Theorem 4.3's lower bound speaks of constant stepsizes alone",
    quantity="slope of ln L against ln t over the last octave",
    tolerance="none; and the slope must be 1.2 times that of the octave before (our choice: a "
    "power of t has 1, an exponential decrease 2)",
    panels=("loss_by_evaluations",),
    reads=_reads,
    needs=(separable,),
    diverged=lambda study, run: decides_nothing(study, run) if _loss_normalized(run) else None,
)
def loss_normalized_beats_powers(study: Study, run: Run) -> Finding | None:
    if not _loss_normalized(run):
        return None
    fitted = run.octaves[(run.octaves["margin"] > 0) & (run.octaves["loss"] > 0)]
    loss = fitted["loss"]
    if len(loss) < 3 or loss.index[-1] != 4 * loss.index[-3]:
        note = "fewer than two octaves in a row with all samples correctly classified"
        return undecided(note, "more steps")
    before, last = np.diff(np.log(loss.iloc[-3:])) / math.log(2)
    found = at_most(last, _POWER, step=int(loss.index[-1]), note=f"{before:.3g} the octave before")
    if found.verdict is Verdict.HOLDS and last > _STEEPER * before:
        return left_open(found, "hardly steeper than the octave before", "more steps")
    return found


@claim(
    id="constant-has-half-the-gain",
    statement="The best constant stepsize has at least half of what the best stepsize policy gains "
    "over the smallest constant one, in factors of evaluations to a loss of 1e-2 and of 1e-4.",
    origin="extension",
    source="ours: how much of a policy's gain is the large stepsize",
    quantity="ln(evaluations of the smallest / of the best constant) over ln(smallest / of the "
    "best policy), gradient descent only, mean over seeds",
    tolerance="none: the mean's whole 95% interval across seeds must be above a half",
    panels=("evaluations_needed", "loss_by_evaluations"),
    reads=_reads,
)
def constant_has_half_the_gain(study: Study) -> Iterator[Finding]:
    yield from (_gain(study, target) for target in TARGETS[:2])


def _gain(study: Study, target: float) -> Finding:
    shares, bounded, names = [], False, set()
    for seed in study.grids:
        plain = [run for run in seed if run.facts["descent"] == "gradient"]
        constant = [run for run in plain if run.facts["policy"] == "constant"]
        needed = {id(run): _needed(run, target) for run in plain}
        best = min(needed[id(run)] for run in constant)
        policy = min(plain, key=lambda run: (run in constant, needed[id(run)]))
        smallest, fewest = needed[id(constant[0])], needed[id(policy)]
        if not math.isfinite(best) or not math.isfinite(fewest):
            continue
        if math.isinf(smallest):  # it takes longer than all its steps
            smallest, bounded = float(constant[0].last["evaluations"]), True
        if smallest > fewest:
            shares.append(math.log(smallest / best) / math.log(smallest / fewest))
            names.add(policy.facts["policy"])
    if not shares:
        note = f"no policy, or no constant stepsize, gains on the way to a loss of {target:g}"
        return undecided(note, "more steps")
    note = f"to {target:g}; best policy: {', '.join(sorted(names))}; {len(shares)} seeds"
    return half_of_it(shares, note, bounded)


def half_of_it(shares: list[float], note: str = "", bounded: bool = False) -> Finding:
    """Whether shares, one per seed, are a half or more in the mean; bounded: from below only."""
    found = at_least(float(np.mean(shares)), 0.5, note=note, runs=len(shares))
    if bounded and found.verdict is Verdict.VIOLATED:
        return left_open(found, "the smallest constant stepsize did not get there", "more steps")
    return beyond_interval(found, half_interval(shares))


def _needed(run: Run, target: float) -> float:
    """Evaluations until the loss is at most the target, at recorded steps; inf if it never is."""
    reached = run.rows.loc[run.rows["loss"] <= target, "evaluations"]
    return float(reached.iloc[0]) if len(reached) else math.inf
