"""Edge of stability: the largest eigenvalue of the loss's Hessian against 2 / stepsize."""

from collections.abc import Iterator

import pandas as pd

from largestep.claims.claim import claim, claim_per_run, hypothesis, of, papers_method, smooth
from largestep.claims.evidence import Run, Study
from largestep.claims.phases import not_settled, settled
from largestep.claims.verdicts import Finding, Verdict, at_least, at_most, left_open, undecided

#: Fewer eigenvalues than this do not show a phase that no theorem describes.
_FEWEST = 3
#: Relative increase of the sharpness from which on one may speak of sharpening (our choice).
_SHARPER = 0.1

_DENSER = "more snapshots a decade"


def _ratio(run: Run, first: float, last: float) -> pd.Series:
    """lambda_max * stepsize / 2 at the recorded steps first..last that have it."""
    return (run.rows["sharpness"] * run.stepsize / 2).loc[first:last].dropna()


@hypothesis("the sharpness was computed")
def computed(study: Study) -> str | None:
    if all(run.rows["sharpness"].isna().all() for run in (*study.runs, *study.diverged)):
        return "no sharpness was computed"
    return None


@hypothesis("a network with every layer trained, or data that are not linearly separable")
def nonlinear(study: Study) -> str | None:
    if study.model.head is not None and study.samples.margin:
        return "on separable data this network behaves like a linear model, which never sharpens"
    return None


@claim_per_run(
    id="eos-unstable",
    statement="By the last increase of a non-monotone loss the sharpness has reached 2/stepsize: "
    "no step can increase the loss where the curvature along it is smaller.",
    origin="derived",
    source="edge of stability; that an increase needs it, derived",
    quantity="largest sharpness * stepsize / 2 at a recorded step up to the loss's last increase",
    tolerance="none to hold; contradicted only where it stays below 1 by more than it changes "
    "between the recorded steps beside its peak or across that increase, since the curvature that "
    "counts is between them, and by more than the eigenvalue's tolerance",
    panels=("sharpness", "loss"),
    needs=(papers_method, smooth, computed),
)
def unstable(study: Study, run: Run) -> Finding | None:
    last_increase = run.facts["last_increase_step"]
    if not last_increase:
        return None
    ratio = _ratio(run, 0, run.last_step)
    until = ratio.loc[:last_increase]
    if len(until) < 2:
        return undecided("fewer than two steps up to the last increase have a sharpness", _DENSER)
    peak = int(until.to_numpy().argmax())
    found = at_least(until.iloc[peak], 1, step=int(until.index[peak]))
    if found.verdict is Verdict.VIOLATED:
        # Beside the peak, and across the last increase.
        changes = ratio.diff().abs()
        around = pd.concat([changes.iloc[peak : peak + 2], changes.iloc[len(until) :][:1]])
        if found.measured + around.max() >= 1:
            return left_open(found, "it may have reached 1 between recorded steps", _DENSER)
        return _unless_tolerance(study, found)
    return found


def _unless_tolerance(study: Study, found: Finding) -> Finding:
    """Inconclusive where an eigenvalue larger by its tolerance would be beyond the bound, or
    reach it; it is a Rayleigh quotient, never too large."""
    computed = study.experiment.sharpness
    tolerance = computed.tolerance if computed else 0.0
    if found.measured < found.bound <= found.measured * (1 + tolerance):
        note = f"within the eigenvalue's tolerance, {tolerance:g}"
        return left_open(found, note, "a smaller tolerance of the sharpness")
    return found


@claim_per_run(
    id="eos-stable",
    statement="In the stable phase the sharpness is below 2/stepsize, and under Theorem 2.2's "
    "threshold below a quarter of that, at every step that has one.",
    origin="extension",
    source="edge of stability; the quarter derived, where Theorem 2.2 applies",
    quantity="largest sharpness * stepsize / 2 at a recorded step of the stable phase",
    tolerance="none; left open within the eigenvalue's tolerance below the bound",
    panels=("sharpness", "loss"),
    needs=(papers_method, computed),
)
def stable(study: Study, run: Run) -> Finding:
    start = settled(run)
    if start is None:
        return not_settled(run)
    ratio = _ratio(run, start, run.last_step)
    # (rho^2 + beta) L bounds the Hessian, and the threshold is 1 / ((4 rho^2 + 2 beta) stepsize).
    bound, fewest = (1, _FEWEST) if run.stable_step is None else (0.25, 1)
    if ratio.empty:
        return undecided("no step of the stable phase has a sharpness", _DENSER)
    found = at_most(ratio.max(), bound, step=int(ratio.idxmax()))
    if found.verdict is Verdict.HOLDS and len(ratio) < fewest:
        return left_open(found, f"{len(ratio)} steps of the stable phase have a sharpness", _DENSER)
    return _unless_tolerance(study, found)


@claim(
    id="progressive-sharpening",
    statement="At a small stepsize the sharpness first increases, by a tenth at least.",
    origin="extension",
    source="edge of stability (progressive sharpening); not on separable data and the tenth, ours",
    quantity="largest sharpness over the initial one, less 1, in the smallest stepsize's run",
    tolerance="none; an increase by less than a tenth is left open, none at all contradicts",
    panels=("sharpness",),
    needs=(papers_method, nonlinear, computed),
)
def sharpening(study: Study) -> Iterator[Finding]:
    for runs in study.grids:
        run = runs[0]
        values = run.rows["sharpness"].dropna()
        if run.increases:
            yield of(run, undecided("the loss of the smallest stepsize increases", "a smaller one"))
        elif len(values) < 2 or values.index[0] != 0:
            note = "too few steps have a sharpness, or step 0 has none"
            yield of(run, undecided(note, _DENSER))
        else:
            later = values.iloc[1:]
            peak, growth = int(later.idxmax()), later.max() / values.iloc[0] - 1
            found = at_least(growth, _SHARPER, step=peak)
            if found.verdict is Verdict.VIOLATED and growth > 0:
                note = "an increase too small to be called sharpening"
                found = left_open(found, note, "no number of steps; other data or another model")
            yield of(run, found)
