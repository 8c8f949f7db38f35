"""Stepsize policies: what looking at the loss gains, and how much of it a constant stepsize has."""

import math
from collections.abc import Iterator

import numpy as np

from largestep.claims.claim import claim, claim_per_run, separable
from largestep.claims.evidence import Run, Study
from largestep.claims.statistics import half_interval
from largestep.claims.transition import beyond_interval
from largestep.claims.verdicts import Finding, Verdict, at_least, at_most, left_open, undecided
from largestep.configuration.experiment import Experiment

#: The loss to reach: small, and still far above rounding.
_TARGET = 1e-4

#: A power of the number of steps that the loss must outrun, and does not at a constant stepsize.
_POWER = -2.0


def _reads(experiment: Experiment) -> bool:
    methods = experiment.train.methods or ()
    constant = [method.direction.plain and method.policy.constant for method in methods]
    return any(constant) and not all(constant)


@claim_per_run(
    id="loss-normalized-beats-powers",
    statement="With stepsizes eta / L(w_t) the loss falls faster than 1/t^2, and ever faster: the "
    "lower bound Omega(1/T) of monotone runs is about constant stepsizes.",
    origin="extension",
    source="ours; Theorem 4.1's lower bound speaks of constant stepsizes alone",
    quantity="slope of ln L against ln t over the last octave",
    tolerance="none; the octave before must have a less steep slope",
    panels=("loss_by_evaluations",),
    reads=_reads,
    needs=(separable,),
)
def loss_normalized_beats_powers(study: Study, run: Run) -> Finding | None:
    if not run.facts["policy"].startswith("loss normalized"):
        return None
    loss = run.octaves["loss"]
    loss = loss[loss > 0]
    if len(loss) < 3:
        return undecided("fewer than two octaves before the run froze", "a smaller stepsize")
    before, last = np.diff(np.log(loss.iloc[-3:])) / math.log(2)
    found = at_most(last, _POWER, step=int(loss.index[-1]), note=f"{before:.3g} the octave before")
    if found.verdict is Verdict.HOLDS and last >= before:
        return left_open(found, "not steeper than the octave before", "more steps")
    return found


@claim(
    id="constant-has-half-the-gain",
    statement="The best constant stepsize has at least half of what the best stepsize policy gains "
    "over the smallest constant one, in factors of evaluations to a loss of 1e-4.",
    origin="extension",
    source="ours: how much of a policy's gain is the large stepsize",
    quantity="ln(evaluations of the smallest / of the best constant) over ln(smallest / of the "
    "best policy), gradient descent only, mean over seeds",
    tolerance="none: the mean's whole 95% interval across seeds must be above a half",
    panels=("evaluations_needed", "loss_by_evaluations"),
    reads=_reads,
)
def constant_has_half_the_gain(study: Study) -> Iterator[Finding]:
    shares, bounded, names = [], False, set()
    for seed in study.grids:
        plain = [run for run in seed if run.facts["descent"] == "gradient"]
        constant = [run for run in plain if run.facts["policy"] == "constant"]
        others = [run for run in plain if run.facts["policy"] != "constant"]
        best = min(map(needed, constant), default=math.inf)
        policy = min(others, key=needed, default=None)
        if not math.isfinite(best) or policy is None or not math.isfinite(needed(policy)):
            continue
        smallest = needed(constant[0])
        if math.isinf(smallest):  # it takes longer than that
            smallest, bounded = constant[0].rows["evaluations"].iloc[-1], True
        if smallest <= needed(policy):
            continue
        shares.append(math.log(smallest / best) / math.log(smallest / needed(policy)))
        names.add(policy.facts["policy"])
    if not shares:
        yield undecided(f"no policy, or no constant stepsize, reaches {_TARGET:g}", "more steps")
        return
    mean, half = float(np.mean(shares)), half_interval(shares)
    note = f"best policy: {', '.join(sorted(names))}; {len(shares)} seeds"
    found = at_least(mean, 0.5, note=note, runs=len(shares))
    if bounded and found.verdict is Verdict.VIOLATED:
        yield left_open(found, "the smallest constant stepsize did not get there", "more steps")
    else:
        yield beyond_interval(found, half)


def needed(run: Run) -> float:
    """Evaluations until the loss is at most the target, at recorded steps; inf if it never is."""
    reached = run.rows.loc[run.rows["loss"] <= _TARGET, "evaluations"]
    return float(reached.iloc[0]) if len(reached) else math.inf
