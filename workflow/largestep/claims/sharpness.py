"""Edge of stability: the largest eigenvalue of the loss's Hessian against 2 / stepsize."""

from collections.abc import Iterator

from largestep.claims.claim import claim, claim_per_run, of
from largestep.claims.evidence import Run, Study
from largestep.claims.phases import settled
from largestep.claims.verdicts import Finding, at_least, at_most, undecided


def _ratio(run: Run, first: float, last: float):
    """lambda_max * stepsize / 2 at the recorded steps first..last that have it."""
    return (run.rows["sharpness"] * run.stepsize / 2).loc[first:last].dropna()


def computed(study: Study) -> str | None:
    if all(run.rows["sharpness"].isna().all() for run in study.runs):
        return "no sharpness was computed"
    return None


@claim_per_run(
    id="eos-unstable",
    statement="While a run oscillates its sharpness reaches 2/stepsize: no loss can rise where the "
    "curvature along the step is smaller.",
    source="edge of stability; that a rise needs it, derived",
    quantity="largest sharpness * stepsize / 2 at a recorded step up to the loss's last rise",
    tolerance="its change to the recorded steps next to the peak: the curvature that counts is "
    "between the points where sharpness is measured",
    panels=("sharpness", "loss"),
    needs=(computed,),
)
def unstable(study: Study, run: Run) -> Finding | None:
    last_rise = run.facts["last_increase_step"]
    if not last_rise:
        return None
    ratio = _ratio(run, 0, last_rise)
    if len(ratio) < 2:
        return undecided("fewer than two steps of the oscillating phase have a sharpness")
    peak = int(ratio.to_numpy().argmax())
    around = ratio.iloc[max(peak - 1, 0) : peak + 2].diff().abs().max()
    bound = 1 if ratio.iloc[peak] >= 1 else 1 - around
    return at_least(ratio.iloc[peak], bound, step=int(ratio.index[peak]))


@claim_per_run(
    id="eos-stable",
    statement="Once a run has settled its sharpness is below 2/stepsize, and under Theorem 2.2's "
    "threshold below a quarter of that.",
    source="edge of stability; the quarter derived",
    quantity="largest sharpness * stepsize / 2 at a recorded step after settling",
    tolerance="none",
    panels=("sharpness", "loss"),
    needs=(computed,),
)
def stable(study: Study, run: Run) -> Finding:
    start = settled(run)
    if start is None:
        return undecided(f"not settled within {run.last_step:,} steps")
    ratio = _ratio(run, start, run.last_step)
    if ratio.empty:
        return undecided("no step after settling has a sharpness")
    # (rho^2 + beta) L bounds the Hessian, and the threshold is 1 / ((4 rho^2 + 2 beta) stepsize).
    return at_most(ratio.max(), 1 if run.stable_step is None else 0.25, step=int(ratio.idxmax()))


def nonlinear(study: Study) -> str | None:
    if study.model.head is not None and study.samples.margin:
        return "on separable data this network behaves like a linear model, which never sharpens"
    return None


@claim(
    id="progressive-sharpening",
    statement="At a small stepsize the sharpness first rises above its initial value.",
    source="edge of stability (progressive sharpening); not on separable data, ours",
    quantity="largest sharpness over the initial one, in the smallest stepsize's run",
    tolerance="none",
    panels=("sharpness",),
    needs=(nonlinear, computed),
)
def sharpening(study: Study) -> Iterator[Finding]:
    for runs in study.seeds:
        run = runs[0]
        values = run.rows["sharpness"].dropna()
        if run.facts["increases"]:
            yield of(run, undecided("the smallest stepsize is not small: its loss rises"))
        elif len(values) < 2 or values.index[0] != 0:
            yield of(run, undecided("too few steps have a sharpness, or step 0 has none"))
        else:
            later = values.iloc[1:]
            peak = int(later.idxmax())
            yield of(run, at_least(later.max() / values.iloc[0] - 1, 0, step=peak))
