"""Gradient flow: what gradient descent tends to as its stepsize goes to zero."""

from collections.abc import Iterator

import numpy as np

from largestep.claims.claim import claim, papers_method
from largestep.claims.evidence import Run, Study
from largestep.claims.verdicts import Finding, at_most, undecided

#: Closer than this many tolerances the flow's own error, of up to 20 (measured), tilts the slope.
_CLEAR = 1000


@claim(
    id="flow-limit",
    statement="The smaller the stepsize, the closer gradient descent stays to gradient flow, in "
    "proportion to the stepsize.",
    origin="extension",
    source="ours; the order 1 derived (gradient descent is Euler's method for the flow)",
    quantity="distance from 1 of the slope of log max |ln L - ln L_flow|, over the times that all "
    "reach, against log stepsize; the two smallest stepsizes, neither above half of the largest "
    "monotone one",
    tolerance="0.2: the error's second-order term, which such stepsizes may still have",
    panels=("flow",),
    reads=lambda experiment: experiment.flow is not None,
    needs=(papers_method,),
)
def flow_limit(study: Study) -> Iterator[Finding]:
    for runs in study.seeds:
        monotone = [run for run in runs if not run.increases]
        # It speaks of a limit: larger stepsizes show the error's higher orders as well.
        small = [run for run in monotone if run.stepsize <= monotone[-1].stepsize / 2][:2]
        numbers = {"seed": runs[0].seed, "runs": len(small)}
        if len(small) < 2:
            yield undecided(
                f"{len(small)} stepsizes are at most half of the largest monotone one",
                "two such stepsizes",
                **numbers,
            )
            continue
        distances = _distances(small)
        if min(distances) < _CLEAR * study.experiment.flow.tolerance:
            yield undecided(
                f"up to the time compared a stepsize is within {min(distances):.1e} of the flow, "
                "whose own error counts there",
                "a smaller flow.tolerance",
                **numbers,
            )
            continue
        slope = np.polyfit(np.log([run.stepsize for run in small]), np.log(distances), 1)[0]
        note = f"slope {slope:.4g}; distances {min(distances):.2g} to {max(distances):.2g}"
        yield at_most(abs(slope - 1), 0.2, note=note, **numbers)


def _distances(runs: list[Run]) -> list[float]:
    """Each run's largest |ln L - ln L_flow| up to the time that all of them and the flow reach."""
    compared = [run.rows[["loss", "flow_loss"]].dropna() for run in runs]
    times = [run.stepsize * rows.index for run, rows in zip(runs, compared, strict=True)]
    end = min(time[-1] for time in times)
    logs = [np.log(rows["loss"] / rows["flow_loss"]).abs() for rows in compared]
    return [float(log[time <= end].max()) for log, time in zip(logs, times, strict=True)]
