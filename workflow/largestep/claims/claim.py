"""What a claim is, and how a check becomes one.

A new claim is a file in this folder, with a check under `claim` or `claim_per_run`, and a line in
`registered.py`.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from largestep.claims.evidence import Run, Study
from largestep.claims.verdicts import Finding, not_applicable, undecided
from largestep.configuration.experiment import Experiment

#: Whose claim it is: stated by the paper; proved here from what it states; neither.
Origin = Literal["paper", "derived", "extension"]


@dataclass(frozen=True)
class Hypothesis:
    """What a claim assumes, in words, and why that fails in an experiment (None: it holds)."""

    words: str
    why_not: Callable[[Study], str | None]


def hypothesis(words: str) -> Callable[[Callable[[Study], str | None]], Hypothesis]:
    """Make the decorated function, study -> why it fails or None, a hypothesis."""
    return lambda why_not: Hypothesis(words, why_not)


@dataclass(frozen=True)
class Claim:
    """One statement that runs can contradict.

    source: where it comes from, in words. quantity: what is measured, in words and symbols.
    tolerance: how much of a violation is forgiven, and which source of error it comes from.
    panels: names of the panels that show it, the best first. reads: which experiments it speaks
    of at all; needs: the hypotheses without which it is not applicable there. judge: the check,
    study -> findings, or () -> findings where the claim is not about runs.
    """

    id: str
    statement: str
    origin: Origin
    source: str
    quantity: str
    tolerance: str
    panels: tuple[str, ...]
    judge: Callable[..., Iterable[Finding]]
    reads: Callable[[Experiment], bool] = field(default=lambda experiment: True)
    needs: tuple[Hypothesis, ...] = ()
    about_runs: bool = True

    def check(self, study: Study) -> Iterator[Finding]:
        """Findings of one experiment; a failed hypothesis is one finding, for all its runs."""
        for needed in self.needs:
            if reason := needed.why_not(study):
                yield not_applicable(reason, runs=len(study.runs) + len(study.diverged))
                return
        yield from self.judge(study)


def claim(**words) -> Callable[[Callable], Claim]:
    """Make the decorated check of a whole experiment, study -> findings, a claim."""
    return lambda judge: Claim(judge=judge, **words)


def claim_per_run(
    diverged: Callable[[Study, Run], Finding | None] | None = None, **words
) -> Callable[[Callable], Claim]:
    """Make the decorated check of one run, (study, run) -> finding or None, a claim.

    diverged: the same for a run that diverged; if not given, such a run decides nothing.
    """

    def make(judge) -> Claim:
        def each(study: Study) -> Iterator[Finding]:
            judged = [(run, judge) for run in study.runs]
            judged += [(run, diverged or decides_nothing) for run in study.diverged]
            for run, check in judged:
                if finding := check(study, run):
                    yield of(run, finding)

        return Claim(judge=each, **words)

    return make


def of(run: Run, finding: Finding) -> Finding:
    """The finding with its run's name on it."""
    stepsize = run.facts["stepsize"]  # None where a policy chooses it
    return replace(finding, seed=run.seed, stepsize=stepsize)


def decides_nothing(study: Study, run: Run) -> Finding:
    """What a claim says of a run that diverged before it did what the claim speaks of."""
    stepsize = run.facts["stepsize"]
    which = f"the {run.facts['policy']} policy" if stepsize is None else f"stepsize {stepsize:g}"
    return undecided(
        f"{which} diverged at step {run.diverged_step:,}",
        "no number of steps: a diverged run does not come back",
    )


@hypothesis("constant-stepsize gradient descent on the logistic loss")
def papers_method(study: Study) -> str | None:
    train = study.experiment.train
    if train.papers:
        return None
    if train.methods:
        return "several methods side by side, not the paper's alone"
    used = (train.direction.label, train.policy.label, train.loss.label)
    return "the method is not the paper's ({}, {} stepsizes, {} loss)".format(*used)


@hypothesis("a two-layer network whose output weights are fixed")
def two_layer(study: Study) -> str | None:
    if study.model.head is None:
        return "every layer is trained: the derivatives of f are unbounded"
    return None


@hypothesis("phi' without jumps, so that its slope is bounded")
def smooth(study: Study) -> str | None:
    phi = study.model.activation
    if phi is None or math.isfinite(phi.constants().curvature):
        return None
    return f"{phi.label} has a kink"


@hypothesis("a leaky activation, alpha = inf phi' > 0")
def leaky(study: Study) -> str | None:
    alpha = study.model.activation.constants().alpha
    return None if alpha > 0 else f"alpha = inf phi' = {alpha:.3g} is not positive"


@hypothesis("linearly separable data")
def separable(study: Study) -> str | None:
    return None if study.samples.margin else "the data are not linearly separable"
