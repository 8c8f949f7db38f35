"""What the Snakefile asks of a configuration: files, parameters, code fingerprints."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from largestep.common import locks
from largestep.common.errors import UserError
from largestep.common.fingerprint import fingerprint
from largestep.configuration import grids, plain, reading
from largestep.configuration.config import Config
from largestep.configuration.experiment import Experiment, Figure
from largestep.graph import slurm_queue
from largestep.graph.atlases import Atlases
from largestep.graph.requests import Requests
from largestep.results import damage, provenance

DEFAULT = Path("config/demo.yaml")

#: Suffix of a train job's file for each table that the metrics stage joins.
PARTS = {"trajectories": "", "runs": ".runs", "neurons": ".neurons"}
FORMATS = ("svg", "pdf", "png")

_MOST_SAID = 20  # lines about damaged files


def load(given: Mapping[str, Any], files: Sequence[Path]) -> "Graph":
    """The graph of the configuration that Snakemake was given, or of config/demo.yaml.

    given: what Snakemake read from --configfile and --config; files: those of --configfile.
    Raises UserError, one line, for anything in it that can be known to be wrong before a run.
    """
    for path in files:
        plain.check(Path(path))
    if files:
        source, content = _shown(files[-1]), given
    else:
        source, content = str(DEFAULT), {**reading.read_yaml(DEFAULT), **given}
    graph = Graph(reading.parse(content, source), source)
    graph.check()
    return graph


class Graph:
    """Files and parameters of every rule, for one configuration."""

    def __init__(self, config: Config, source: str):
        self.config, self.source = config, source
        self.results = f"results/{config.name}"
        self._lock = None
        self._scales = grids.joined(config)
        self.atlases, self.requests = Atlases(self), Requests(self)
        self.datasets = {e.dataset.key: e.dataset for e in config.experiments.values()}

    @cached_property
    def data_root(self) -> Path:
        """Where downloads and image folders lie; the environment variable DATA has precedence."""
        return Path(os.environ.get("DATA") or self.config.data_root).expanduser()

    def check(self) -> None:
        """Raise UserError for what reading the configuration alone does not show."""
        given = os.environ.get("DATA")
        if given and not _is_folder(self.data_root):
            raise UserError(f"DATA={given}: must be an existing folder")
        for name, experiment in self.config.experiments.items():
            try:
                experiment.dataset.check(self.data_root)
            except UserError as error:
                place = f"{self.source}: experiments.{name}.dataset"
                raise UserError(f"{place}.{error}") from error
            try:
                if experiment.model.explicit:
                    experiment.model.initial_layers(experiment.dataset.shape(self.data_root)[1], 0)
            except UserError as error:
                raise UserError(f"{self.source}: experiments.{name}.{error}") from error
        self.atlases.check()

    def check_devices(self) -> None:
        """Raise UserError where a run here needs a CUDA device and this machine has none."""
        for name in self.config.experiments:
            self._check_device(name)

    def _check_device(self, name: str) -> None:
        if self.config.device_of(name) == "cuda":
            from largestep.engine.device import choose_device

            try:
                choose_device("cuda")
            except UserError as error:
                own = self.config.experiments[name].train.device
                place = f"experiments.{name}.train." if own else ""
                raise UserError(f"{self.source}: {place}{error}") from error

    # The run as a whole

    def heal(self, delete: bool) -> list[str]:
        """Find the files that are not what their stages wrote, so that this run makes them again.

        Deletes them, or only tells of them, one line each. While another run is at work here there
        is nothing to be found: it has looked before it began.
        """
        if not Path(self.results).is_dir():
            return []
        try:
            if delete:
                self.begin()
            said = damage.discard(self.targets, delete)
        except UserError:
            return []
        except OSError as error:
            raise UserError(f"{error.filename or self.results}: {error.strerror}") from error
        more = [f"and {len(said) - _MOST_SAID} more"] if len(said) > _MOST_SAID else []
        return said[:_MOST_SAID] + more

    def begin(self) -> None:
        """Keep other runs out of these results for as long as this process lives."""
        if self._lock:
            return
        try:
            self._lock = locks.acquire_or_refuse(Path(self.results, ".lock"), f"{self.results}/")
        except OSError as error:  # a disk that is full or read-only, or permissions
            raise UserError(f"{error.filename or self.results}: {error.strerror}") from error
        self._begun = time.time()

    def failures(self) -> list[str]:
        """What the jobs that failed since `begin` said in their logs."""
        folders = (Path(self.results, "logs"), Path("results/data/logs"))
        logs = sorted(log for folder in folders for log in folder.rglob("*.log"))
        recent = [log for log in logs if log.stat().st_mtime >= self._begun]
        failed = [log for log in recent if log.stat().st_size and not provenance.read(log)]
        said = [log.read_text(errors="replace").strip() for log in failed]
        return [*said, *slurm_queue.failures(self._begun)]

    # Files

    def parts(self, table: str) -> list[str]:
        """The train jobs' files of a table, experiments and seeds in the order configured."""
        return self._of_jobs("runs", f"{PARTS[table]}.parquet")

    @property
    def sharpness(self) -> list[str]:
        """The sharpness tables, of those experiments that ask for one."""
        return self._of_jobs("sharpness", ".parquet", lambda experiment: experiment.sharpness)

    @property
    def flow(self) -> list[str]:
        """The tables of gradient flow, of those experiments that ask for it."""
        return self._of_jobs("flow", ".parquet", lambda experiment: experiment.flow)

    @property
    def geometry(self) -> list[str]:
        """The tables of norms and KKT conditions, of those experiments that ask for one."""
        return self._of_jobs("geometry", ".parquet", lambda experiment: experiment.geometry)

    @property
    def snapshots(self) -> list[str]:
        """The weights that train jobs kept."""
        return self._of_jobs("runs", ".snapshots.safetensors")

    def _of_jobs(self, folder: str, suffix: str, asked=lambda experiment: True) -> list[str]:
        """A file for each train job of the experiments that ask for it."""
        return [
            f"{self.results}/{folder}/{name}/seed={job}{suffix}"
            for name, experiment in self.config.experiments.items()
            if asked(experiment)
            for job in experiment.train.jobs
        ]

    @property
    def metrics(self) -> list[str]:
        return [f"{self.results}/metrics/{table}.parquet" for table in PARTS]

    def figures(self, *formats: str) -> list[str]:
        names = [*self.config.experiments, *self.config.comparisons, *self.config.atlases]
        return [f"{self.results}/figures/{name}.{f}" for name in names for f in formats]

    @property
    def noted(self) -> list[str]:
        """The figures in the note: of variants, only comparisons."""
        variants = {name for name, e in self.config.experiments.items() if e.variant_of}
        return [figure for figure in self.figures("svg") if Path(figure).stem not in variants]

    def sensitivity(self, *formats: str) -> list[str]:
        """The figure of what verdicts depend on; none where there are no variants."""
        variants = any(each.variant_of for each in self.config.experiments.values())
        return [f"{self.results}/sensitivity.{f}" for f in formats] if variants else []

    @property
    def data(self) -> list[str]:
        return [f"results/data/{key}.safetensors" for key in self.datasets]

    @property
    def facts(self) -> list[str]:
        return [Path(file).with_suffix(".json").as_posix() for file in self.data]

    @property
    def targets(self) -> list[str]:
        """Every file of the graph, intermediate ones too: a lost one is then always made again."""
        parts = [part for table in PARTS for part in self.parts(table)]
        claims = [f"{self.results}/claims.{kind}" for kind in ("json", "parquet")]
        reports = [f"{self.results}/report.{kind}" for kind in ("html", "md", "pdf")]
        figures = [*self.figures(*FORMATS), *self.sensitivity(*FORMATS)]
        ends = [*claims, *self.atlases.tables, *figures, *reports]
        middle = [*parts, *self.snapshots, *self.sharpness, *self.flow, *self.geometry]
        return [*self.data, *self.facts, *middle, *self.metrics, *ends]

    # Parameters

    def to_json(self) -> str:
        """The whole configuration, less a data root that no data set reads."""
        return reading.to_json(self._used)

    @property
    def judged(self) -> str:
        """The configuration as verdicts depend on it: without words and comparisons."""
        experiments = {
            name: experiment.model_copy(update={"figure": Figure(panels=experiment.figure.panels)})
            for name, experiment in self._used.experiments.items()
        }
        judged = {"experiments": experiments, "comparisons": {}, "atlases": {}}
        return reading.to_json(self._used.model_copy(update=judged))

    @cached_property
    def _used(self) -> Config:
        if any(dataset.uses_root for dataset in self.datasets.values()):
            return self.config
        return self.config.model_copy(update={"data_root": "data"})

    def experiment(self, wildcards) -> Experiment:
        return self.config.experiments[wildcards.experiment]

    def dataset_spec(self, wildcards) -> str:
        return reading.to_json(self.datasets[wildcards.dataset])

    def root(self, wildcards) -> str:
        """The data root, for sources that read from it; another root then means other data."""
        return str(self.data_root) if self.datasets[wildcards.dataset].uses_root else "."

    def dataset_file(self, wildcards) -> str:
        return f"results/data/{self.experiment(wildcards).dataset.key}.safetensors"

    def train_spec(self, wildcards) -> str:
        """All that training depends on: not the figure, not the seeds of other jobs."""
        return self._job_spec(wildcards)

    def sharpness_spec(self, wildcards) -> str:
        return self._job_spec(wildcards, "sharpness")

    def flow_spec(self, wildcards) -> str:
        return self._job_spec(wildcards, "flow")

    def geometry_spec(self, wildcards) -> str:
        return self._job_spec(wildcards, "geometry")

    def _job_spec(self, wildcards, *asked: str) -> str:
        """The experiment for the seeds of one job, without what later stages compute, but one."""
        experiment = self.experiment(wildcards)
        own = experiment.train.model_copy(update={"seeds": self.seeds(wildcards)})
        later = {"sharpness": None, "flow": None, "geometry": False}
        changes = {key: value for key, value in later.items() if key not in asked}
        changes |= {"train": own, "figure": Figure(), "variant_of": None}
        return reading.to_json(experiment.model_copy(update=changes))

    def seeds(self, wildcards) -> tuple[int, ...]:
        return self.experiment(wildcards).train.jobs[wildcards.job]

    def weights(self, wildcards) -> str | None:
        """The hash of a user's file of weights. (In an input's name {} would be a wildcard.)"""
        file = self.experiment(wildcards).model.weight_file
        return provenance.sha256(Path(file)) if file else None

    @cached_property
    def samples(self) -> dict[str, tuple[int, int, int]]:
        """(n, d, number of test samples) of each data set, by its key."""
        return {key: dataset.shape(self.data_root) for key, dataset in self.datasets.items()}

    def figure_spec(self, wildcards) -> str:
        """The experiments: a figure's axes and references depend on their models and data sets."""
        return reading.to_json(self.config.only(wildcards.figure))

    def figure_among(self, wildcards) -> str:
        """For each experiment shown: the stepsizes among which its own get their colours."""
        shown = self.config.only(wildcards.figure).experiments
        return json.dumps({name: self._scales[name] for name in shown})

    def figure_words(self, wildcards) -> dict[str, Any]:
        """For the caption in Snakemake's own report, which takes it for reStructuredText."""
        kinds = {"title", "paper", "ours", "stand_in"}
        words = self.config.figure(wildcards.figure).model_dump(include=kinds)
        return {key: _literal(text) for key, text in words.items()}

    def code_of(self, stage: str) -> Callable[[Any], str]:
        """The fingerprint of a stage for the experiment of its wildcards: of what this one uses."""
        return lambda wildcards: fingerprint(stage, *self.experiment(wildcards).modules)

    def dataset_code(self, wildcards) -> str:
        return fingerprint("stages.dataset", *self.datasets[wildcards.dataset].modules)

    @property
    def claims_code(self) -> str:
        used = (experiment.modules for experiment in self.config.experiments.values())
        return fingerprint("stages.claims", *set().union(*used))

    def figure_urgency(self, wildcards) -> int:
        """Figures of many axes first, as with `Requests.urgency`."""
        panels = self.config.figure(wildcards.figure).panels
        return len(panels) * len(self.config.only(wildcards.figure).experiments)

    def figure_code(self, wildcards) -> str:
        drawn = [f"report.panels.{p}" for p in self.config.figure(wildcards.figure).panels]
        drawn = ["report.atlas"] if wildcards.figure in self.config.atlases else drawn
        shown = self.config.only(wildcards.figure).experiments.values()
        used = set().union(*(experiment.modules for experiment in shown))
        return fingerprint("stages.figure", *drawn, *used)


def _literal(text: str) -> str:
    """reStructuredText, on one line, that reads as `text`."""
    return re.sub(r"([^A-Za-z0-9 ])", r"\\\1", " ".join(text.split()))


def _shown(path: Path) -> str:
    path = Path(path)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _is_folder(path: Path) -> bool:
    """False, too, where it may not be looked at."""
    try:
        return path.is_dir()
    except PermissionError:
        return False
