"""What a claim is, and how a check becomes one."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from largestep.claims.evidence import Run, Study
from largestep.claims.verdicts import Finding, not_applicable
from largestep.configuration.experiment import Experiment

#: Returns why a hypothesis fails in an experiment, or None where it holds.
Hypothesis = Callable[[Study], str | None]


@dataclass(frozen=True)
class Claim:
    """One statement that runs can contradict.

    quantity: what is measured, in words and symbols. tolerance: how much of a violation is
    forgiven, and which source of error it comes from. panels: names of the panels that show it,
    the best first. reads: which experiments it speaks of at all; needs: the hypotheses without
    which it is not applicable there. judge: the check, study -> findings, or () -> findings where
    the claim is not about runs.
    """

    id: str
    statement: str
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
        for hypothesis in self.needs:
            if reason := hypothesis(study):
                yield not_applicable(reason, runs=len(study.runs))
                return
        yield from self.judge(study)


def claim(**words) -> Callable[[Callable], Claim]:
    """Make the decorated check of a whole experiment, study -> findings, a claim."""
    return lambda judge: Claim(judge=judge, **words)


def claim_per_run(**words) -> Callable[[Callable], Claim]:
    """Make the decorated check of one run, (study, run) -> finding or None, a claim."""

    def make(judge) -> Claim:
        def each(study: Study) -> Iterator[Finding]:
            for run in study.runs:
                if finding := judge(study, run):
                    yield of(run, finding)

        return Claim(judge=each, **words)

    return make


def of(run: Run, finding: Finding) -> Finding:
    """The finding with its run's name on it."""
    return replace(finding, seed=run.seed, stepsize=run.stepsize)


def two_layer(study: Study) -> str | None:
    if study.model.head is None:
        return "an MLP trains every layer: the derivatives of f are unbounded"
    return None


def leaky(study: Study) -> str | None:
    alpha = study.model.activation.constants().alpha
    return None if alpha > 0 else f"alpha = inf phi' = {alpha:.3g} is not positive"


def separable(study: Study) -> str | None:
    return None if study.samples.margin else "the data are not linearly separable"
