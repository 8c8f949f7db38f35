"""What the jobs of one graph ask of the machine or of a cluster."""

from collections.abc import Mapping
from typing import Protocol

from largestep.configuration.config import Config
from largestep.configuration.experiment import Experiment
from largestep.graph import resources
from largestep.graph.atlases import Atlases


class _Graph(Protocol):
    config: Config
    atlases: Atlases
    samples: Mapping[str, tuple[int, int, int]]

    def experiment(self, wildcards) -> Experiment: ...

    def seeds(self, wildcards) -> tuple[int, ...]: ...


class Requests:
    """Of one graph."""

    def __init__(self, graph: _Graph):
        self._graph = graph

    def memory(self, wildcards, attempt: int) -> int:
        return resources.memory(self._shape(wildcards), attempt)

    def minutes(self, wildcards, attempt: int) -> int:
        return resources.minutes(self._shape(wildcards), attempt)

    def sharpness_memory(self, wildcards, attempt: int) -> int:
        return resources.sharpness_memory(self._shape(wildcards), attempt)

    def sharpness_minutes(self, wildcards, attempt: int) -> int:
        budget = self._graph.experiment(wildcards).sharpness.products
        return resources.sharpness_minutes(self._shape(wildcards), budget, attempt)

    def flow_memory(self, wildcards, attempt: int) -> int:
        return resources.flow_memory(self._shape(wildcards), attempt)

    def flow_minutes(self, wildcards, attempt: int) -> int:
        gradients = self._graph.experiment(wildcards).flow.evaluations * len(
            self._graph.seeds(wildcards)
        )
        return resources.flow_minutes(self._shape(wildcards), gradients, attempt)

    def work(self, jobs) -> dict[int, float]:
        """Seconds expected of each of Snakemake's jobs that trains, by its number."""
        kinds = {
            "train": lambda w: resources.work(self._shape(w)),
            "atlas": self._graph.atlases.work,
        }
        trained = (job for job in jobs if job.rule.name in kinds)
        return {job.jobid: kinds[job.rule.name](job.wildcards) for job in trained}

    def urgency(self, wildcards) -> float:
        """Long jobs first, or the last of them would keep one core busy and leave the others idle.

        The seconds expected of training the experiment; sharpness and gradient flow are long where
        that is. Twice as many where sharpness waits for it, or it would be alone at the end.
        """
        waits = 1 + bool(self._graph.experiment(wildcards).sharpness)
        return waits * resources.work(self._shape(wildcards))

    def gpus(self, wildcards) -> int:
        return resources.gpus(self._shape(wildcards))

    def group(self, wildcards) -> str | None:
        """Small jobs form a group: on a cluster, several of them share a submission."""
        return "small" if resources.small(self._shape(wildcards)) else None

    def _shape(self, wildcards) -> resources.Shape:
        experiment = self._graph.experiment(wildcards)
        return resources.Shape.of(
            experiment,
            self._graph.samples[experiment.dataset.key],
            len(self._graph.seeds(wildcards)),
            self._graph.config.device_of(wildcards.experiment),
            self._graph.config.threads,
        )
