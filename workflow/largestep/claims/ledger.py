"""All claims against all experiments of a configuration: the table of verdicts."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from largestep.claims.claim import Claim
from largestep.claims.evidence import Samples, Study, diverged_of, runs_of
from largestep.claims.verdicts import Finding, Verdict, overall
from largestep.configuration.config import Config
from largestep.configuration.experiment import Experiment
from largestep.data import samples
from largestep.results import tables
from largestep.theory import thresholds

_text, _int, _float = pa.string(), pa.int64(), pa.float64()

#: One row per claim and finding; seed and stepsize are null where it is about several runs.
FINDINGS = pa.schema(
    {
        "claim": _text,
        "experiment": _text,  # null for a claim that is not about runs
        "seed": _int,
        "stepsize": _float,
        "eta": _float,
        "runs": _int,  # how many it judges
        "step": _int,  # where it was measured
        "verdict": _text,
        "measured": _float,
        "bound": _float,
        "slack": _float,  # room on the right side of the bound; negative beyond it
        "note": _text,
    }
)

#: A finding with the experiment that it is about, or None.
Found = tuple[str | None, Finding]


def studies(
    config: Config, trajectories: Path, runs: Path, neurons: Path, data: Mapping[str, Path]
) -> Iterator[Study]:
    """The configuration's experiments; `data` has a file for each dataset's key.

    Memory holds the rows of one experiment at a time.
    """
    results = [tables.by_experiment(p, config.experiments) for p in (trajectories, runs, neurons)]
    known: dict[str, Samples] = {}
    for (name, experiment), *mine in zip(config.experiments.items(), *results, strict=True):
        key = experiment.dataset.key
        if key not in known:
            known[key] = Samples(*samples.read(data[key])[:2])
        yield study(name, experiment, known[key], *mine)


def study(
    name: str,
    experiment: Experiment,
    data: Samples,
    trajectories: pd.DataFrame,
    runs: pd.DataFrame,
    neurons: pd.DataFrame,
) -> Study:
    """One experiment from its rows of the result tables."""
    smoothness = thresholds.smoothness(experiment.model, data.X)
    rho = math.sqrt(smoothness.rho2) if smoothness else 0.0
    judged, lost = (each(trajectories, runs, rho) for each in (runs_of, diverged_of))
    return Study(name, experiment, data, judged, lost, neurons)


def judge(claims: Iterable[Claim], studies: Iterable[Study]) -> dict[str, list[Found]]:
    """Findings by the claim's id."""
    found: dict[str, list[Found]] = {}
    for claim in claims:
        findings = () if claim.about_runs else claim.judge()
        found[claim.id] = [(None, finding) for finding in findings]
    for each in studies:
        for claim in claims:
            if claim.about_runs and claim.reads(each.experiment):
                found[claim.id] += [(each.name, finding) for finding in claim.check(each)]
    return found


def entry(claim: Claim, found: list[Found], config: Config) -> dict:
    """A claim's line of the ledger: its verdict, and the finding that has least room.

    Variants have no say in it; what was found on them stands beside it.
    """
    variants = {name for name, e in config.experiments.items() if e.variant_of}
    beside = [pair for pair in found if pair[0] in variants]
    found = [pair for pair in found if pair[0] not in variants]
    counts = Counter(finding.verdict for _, finding in found)
    verdict = overall(counts)
    decided = Verdict.HOLDS if verdict is Verdict.WHERE_DECIDED else verdict
    deciding = [(name, f) for name, f in found if f.verdict is decided]
    where, worst = min(deciding, key=lambda pair: _room(pair[1]), default=(None, Finding(decided)))
    return {
        "id": claim.id,
        "statement": claim.statement,
        "origin": claim.origin,
        "source": claim.source,
        "hypotheses": [needed.words for needed in claim.needs],
        "verdict": verdict.value,
        "decided": counts[Verdict.HOLDS] + counts[Verdict.VIOLATED],
        "applicable": counts.total() - counts[Verdict.NOT_APPLICABLE],
        "quantity": claim.quantity,
        "measured": _rounded(worst.measured),
        "bound": _rounded(worst.bound),
        "slack": _rounded(worst.slack),
        "tolerance": claim.tolerance,
        "reason": _reason(verdict, counts, deciding, worst, found),
        "decides": _decides(found),
        "worst": {
            "experiment": where,
            "seed": worst.seed,
            "stepsize": worst.stepsize,
            "step": worst.step,
        },
        "runs": _tally(found),
        "variants": _tally(beside),
        "violated_variants": sorted({n for n, f in beside if f.verdict is Verdict.VIOLATED}),
        "figure": _figure(claim, [where, *(name for name, _ in deciding)], config),
    }


def table(found: Mapping[str, list[Found]], config: Config) -> pd.DataFrame:
    """Every finding, in the columns of FINDINGS."""
    return pd.DataFrame(
        [
            {
                "claim": claim,
                "experiment": name,
                "seed": finding.seed,
                "stepsize": finding.stepsize,
                "eta": _eta(config, name, finding.stepsize),
                "runs": finding.runs,
                "step": finding.step,
                "verdict": finding.verdict.value,
                "measured": _rounded(finding.measured),
                "bound": _rounded(finding.bound),
                "slack": _rounded(finding.slack),
                "note": finding.words,
            }
            for claim, pairs in found.items()
            for name, finding in pairs
        ],
        columns=FINDINGS.names,
    )


def _room(finding: Finding) -> float:
    """Slack in units of the bound; what has none is never the tightest."""
    if finding.slack is None or math.isnan(finding.slack):
        return math.inf if finding.slack is None else -math.inf
    return finding.slack / (abs(finding.bound) or 1)


def _reason(verdict, counts, deciding, worst, found) -> str:
    if not found:
        return "no run of this configuration is of the kind that it speaks of"
    if verdict is Verdict.NOT_APPLICABLE:
        names: dict[str, list[str]] = {}
        for name, finding in deciding:
            names.setdefault(finding.note, []).append(name)
        return "; ".join(f"{note} ({', '.join(where)})" for note, where in names.items())
    parts = [worst.note] if worst.note else []
    if verdict is Verdict.VIOLATED:
        parts.insert(0, f"{counts[verdict]} of {counts.total() - counts[Verdict.NOT_APPLICABLE]}")
    if verdict is Verdict.WHERE_DECIDED:
        left = next(f for _, f in found if f.verdict is Verdict.INCONCLUSIVE)
        parts.append(f"{counts[left.verdict]} inconclusive, such as: {left.words}")
    return "; ".join(parts)


def _decides(found: list[Found]) -> str | None:
    """What would decide the inconclusive findings: what most of them say; None if all decide."""
    wanted = Counter(f.decides for _, f in found if f.verdict is Verdict.INCONCLUSIVE)
    return wanted.most_common(1)[0][0] if wanted else None


def _tally(found: list[Found]) -> list[dict]:
    """Per experiment, how many runs or groups of runs have which verdict."""
    names = dict.fromkeys(name for name, _ in found if name)
    return [
        {"experiment": name, **Counter(f.verdict.value for n, f in found if n == name)}
        for name in names
    ]


def _figure(claim: Claim, names: list[str | None], config: Config) -> str | None:
    """The figure that shows it: of its experiments', the first with the panel that suits best."""
    names = [name for name in dict.fromkeys(names) if name]
    for panel in claim.panels:
        for name in names:
            if panel in config.experiments[name].figure.panels:
                return name
    return names[0] if names else None


def _eta(config: Config, name: str | None, stepsize: float | None) -> float | None:
    if stepsize is None:
        return None
    factor = config.experiments[name].model.stepsize_per_eta
    return stepsize / factor if factor else None


def _rounded(value: float | None) -> float | None:
    """Nine digits: enough to judge, and the same whatever a library's last bit is."""
    return float(f"{value:.9g}") if value is not None and np.isfinite(value) else None
