"""Steepest descent in a norm: whose margin grows, and whose is largest."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from largestep.claims.claim import claim, claim_per_run, decides_nothing, hypothesis
from largestep.claims.evidence import Run, Study
from largestep.claims.held_out import ahead
from largestep.claims.verdicts import Finding, at_least, undecided, unless_rounding
from largestep.configuration.experiment import Experiment
from largestep.method.directions.direction import Direction
from largestep.results import norms

_SOURCE = "Tsilivis, Vardi and Kempe, for the flow; the correction for finite steps derived"


@hypothesis("a homogeneous network: phi(z) = phi'(z) z")
def homogeneous(study: Study) -> str | None:
    if study.model.activation is None:
        return "the network is not homogeneous"
    kappa = study.model.activation.constants().kappa
    return f"kappa = {kappa:.3g}: the network is not homogeneous" if kappa else None


def _directions(experiment: Experiment) -> dict[str, Direction]:
    """The steepest descents with constant stepsizes, by the label in the tables."""
    methods = [single.train for single in experiment.apart]
    return {
        method.direction.label: method.direction
        for method in methods
        if method.direction.steepest and method.policy.constant
    }


def _steepest(study: Study, run: Run) -> Direction | None:
    """The run's direction, if it is a steepest descent with a constant stepsize."""
    constant = run.facts["policy"] == "constant"
    return _directions(study.experiment).get(run.facts["descent"]) if constant else None


def _reads(experiment: Experiment) -> bool:
    return experiment.geometry and len({d.norm for d in _directions(experiment).values()}) > 1


@claim_per_run(
    id="steepest-soft-margin",
    statement="Once the loss is below l(0) / n, the soft margin ln(1 / (n L)) / ||w||^M in the "
    "norm in which the method is steepest descent does not decrease, up to a correction for "
    "finite steps.",
    origin="extension",
    source=_SOURCE,
    quantity="smallest gain of its logarithm between two snapshots, the correction added",
    tolerance="none beyond the correction; inconclusive within rounding of the loss",
    panels=("own_margin", "final_margins"),
    reads=_reads,
    needs=(homogeneous,),
    diverged=lambda study, run: decides_nothing(study, run) if _steepest(study, run) else None,
)
def soft_margin_grows(study: Study, run: Run) -> Finding | None:
    direction = _steepest(study, run)
    if direction is None:
        return None
    rows = run.rows.dropna(subset="next_loss")
    below = rows.index[rows["loss"] < _loss_at_zero(study) / study.n]
    rows = rows.loc[below[0] :] if len(below) else rows.iloc[:0]
    if len(rows) < 2:
        note = "fewer than two snapshots with a loss below l(0) / n"
        return undecided(note, "more steps")
    if (study.n * rows["loss"] >= 1).any():
        return undecided(
            "the loss came back above 1 / n, where there is no soft margin", "a smaller stepsize"
        )
    order = study.model.order
    soft = norms.soft_margin(rows, direction.norm, order, study.n)
    lost = _correction(study, run, rows, direction.norm).to_numpy()
    steps = rows.index.to_numpy()
    gain = np.diff(np.log(soft)) + np.diff(steps) * np.maximum(lost[1:], lost[:-1])
    worst = int(gain.argmin())
    rounding = (run.rounding.loc[rows.index] / -np.log(study.n * rows["loss"])).max()
    note = f"{direction.name}, {direction.norm}; from step {steps[0]:,} on"
    found = at_least(gain[worst], 0, step=int(steps[worst + 1]), note=note)
    return unless_rounding(found, 2 * rounding)


def _loss_at_zero(study: Study) -> float:
    import torch

    value, _ = study.experiment.train.loss.value_and_slope(torch.zeros(1, dtype=torch.float64))
    return value.item()


def _correction(study: Study, run: Run, rows: pd.DataFrame, norm: str) -> pd.Series:
    """How much the logarithm of the soft margin may lose in the step from each row (derived).

    ||w|| grows by eta ||g||_q at most. psi = ln(1 / (n L)) gains ln(L / L_next), which is measured,
    and by homogeneity ||g||_q ||w||_p >= <-g, w> >= theta M L psi (docs/proofs.md): what theory
    promises is that share of it.
    """
    _, weights, gradient = norms.NORMS[norm]
    n, order, loss = study.n, study.model.order, rows["loss"]
    theta = _tail(study, n * loss)
    gain = np.log(loss / rows["next_loss"])
    share = theta * order * loss / (rows[gradient] * rows[weights])
    gained = gain * share.where(gain > 0, -1 / np.log(n * loss))
    growth = order * np.log1p(run.stepsize * rows[gradient] / rows[weights])
    return (growth - np.log1p(gained)).clip(lower=0)


def _tail(study: Study, total: pd.Series) -> pd.Series:
    """theta of the loss: 1 for the exponential one; for the logistic one below 1 (derived)."""
    if study.experiment.train.loss.name == "exponential":
        return pd.Series(1.0, index=total.index)
    u = np.expm1(total)
    return u / ((1 + u) * np.log1p(u)) * np.log(u) / np.log(total)


@claim(
    id="steepest-own-norm",
    statement="Of sign descent, coordinate descent and gradient descent, each ends with the "
    "largest margin in its own norm.",
    origin="extension",
    source="ours, suggested by Tsilivis, Vardi and Kempe",
    quantity="logarithm of the method's own margin over the largest of the others', mean over "
    "seeds",
    tolerance="none: the whole 95% interval of the mean across seeds must be above 0",
    panels=("final_margins",),
    reads=_reads,
    needs=(homogeneous,),
)
def own_norm_largest(study: Study) -> Iterator[Finding]:
    directions, order = _directions(study.experiment), study.model.order
    for label, direction in directions.items():
        gaps = []
        for seed in study.seeds:
            ends = {
                run.facts["descent"]: _last_margin(run, direction.norm, order)
                for run in sorted(seed, key=lambda run: -run.last["loss"])  # the lowest loss stays
                if run.facts["descent"] in directions and run.facts["policy"] == "constant"
            }
            if len(ends) == len(directions) and all(end > 0 for end in ends.values()):
                largest = max(end for other, end in ends.items() if other != label)
                gaps.append(math.log(ends[label] / largest))
        note = f"{direction.name}, {direction.norm}"
        if gaps:
            yield ahead(gaps, note)
        else:
            yield undecided(f"{note}: a method has not fitted its training data", "more steps")


def _last_margin(run: Run, norm: str, order: int) -> float:
    """In the given norm, at the last step whose weights were kept; nan where none were."""
    kept = run.rows.dropna(subset="norm_l1").iloc[-1:]
    return norms.margin(kept, norm, order).item() if len(kept) else math.nan
