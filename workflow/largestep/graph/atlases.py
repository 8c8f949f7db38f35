"""What the Snakefile asks of a configuration's atlases: files, parameters, requests."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from largestep.common.errors import UserError
from largestep.common.fingerprint import fingerprint
from largestep.configuration import reading
from largestep.configuration.atlas import SEEDS, Atlas
from largestep.configuration.config import Config
from largestep.configuration.experiment import Experiment
from largestep.graph import resources
from largestep.results import provenance


class _Graph(Protocol):
    config: Config
    source: str
    results: str
    data_root: Path


class Atlases:
    """Of one graph."""

    def __init__(self, graph: _Graph):
        self._graph = graph
        self.all: Mapping[str, Atlas] = graph.config.atlases
        self.shapes = cache(self._shapes)

    def check(self) -> None:
        """Raise UserError for explicit weights that do not fit a network."""
        for name, atlas in self.all.items():
            base = self._base(name)
            if not base.model.explicit:
                continue
            for batch in atlas.batches(base):
                d = batch.experiment.dataset.shape(self._graph.data_root)[1]
                try:
                    batch.experiment.model.initial_layers(d, 0)
                except UserError as error:
                    raise UserError(f"{self._graph.source}: atlases.{name}.{error}") from error

    def figure_rows(self, table: str) -> Callable[[Any], list[str]]:
        """The file of a table that a figure is drawn from; an atlas has its runs, nothing else."""

        def rows(wildcards) -> list[str]:
            if wildcards.figure in self.all:
                return [self.table(wildcards.figure)] if table == "runs" else []
            return [f"{self._graph.results}/metrics/{table}.parquet"]

        return rows

    @property
    def tables(self) -> list[str]:
        return [self.table(name) for name in self.all]

    def weights(self, wildcards) -> str | None:
        """The hash of a user's file of weights."""
        file = self._base(wildcards.atlas).model.weight_file
        return provenance.sha256(Path(file)) if file else None

    def table(self, name: str) -> str:
        return f"{self._graph.results}/atlas/{name}.parquet"

    def data(self, wildcards) -> list[str]:
        """The experiment's data set; none where the job makes one for each value of an axis."""
        atlas = self.all[wildcards.atlas]
        key = self._base(wildcards.atlas).dataset.key
        return [] if atlas.makes_data else [f"results/data/{key}.safetensors"]

    def spec(self, wildcards) -> str:
        """All that the runs depend on: no words, no panels but whether weights are compared, and of
        the experiment nothing that an axis replaces."""
        atlas = self.all[wildcards.atlas]
        base = self._base(wildcards.atlas)
        first = next(atlas.batches(base)).experiment
        if SEEDS not in atlas.axes:  # of which a batch may have some
            own = first.train.model_copy(update={"seeds": base.train.seeds})
            first = first.model_copy(update={"train": own})
        words = {"title": "", "paper": "", "ours": "", "stand_in": "", "draw": "maps"}
        panels = ("relative_movement",) if atlas.moves else ("final_loss",)
        plain = atlas.model_copy(update=words | {"panels": panels})
        config = Config(
            name=wildcards.atlas,
            experiments={atlas.of: first},
            atlases={wildcards.atlas: plain},
        )
        return reading.to_json(config)

    def device(self, wildcards) -> str:
        return self._graph.config.device_of(self.all[wildcards.atlas].of)

    def code(self, wildcards) -> str:
        return fingerprint("stages.atlas", *self._base(wildcards.atlas).modules)

    def memory(self, wildcards, attempt: int) -> int:
        return resources.atlas_memory(self.shapes(wildcards.atlas), attempt)

    def minutes(self, wildcards, attempt: int) -> int:
        return resources.atlas_minutes(self.shapes(wildcards.atlas), attempt)

    def gpus(self, wildcards) -> int:
        return resources.gpus(self.shapes(wildcards.atlas)[0])

    def work(self, wildcards) -> float:
        return resources.atlas_work(self.shapes(wildcards.atlas))

    def _base(self, name: str) -> Experiment:
        return self._graph.config.experiments[self.all[name].of]

    def _shapes(self, name: str) -> list[resources.Shape]:
        """Of each batch."""
        config, root = self._graph.config, self._graph.data_root
        device = config.device_of(self.all[name].of)
        return [
            resources.Shape.of(
                batch.experiment,
                batch.experiment.dataset.shape(root),
                len(batch.experiment.train.seeds),
                device,
                config.threads,
            )
            for batch in self.all[name].batches(self._base(name))
        ]
