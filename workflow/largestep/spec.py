"""The configuration as typed, frozen objects; everything below it reads these, never YAML."""

import json
from collections.abc import Collection, Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from largestep.base import Spec, UserError
from largestep.datasets import AnyDataset
from largestep.models import AnyModel
from largestep.panels import PANELS

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Positive = Annotated[float, Field(gt=0)]
Grid = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1, max_length=20_000)]
Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**63)], ...],
    Field(strict=False, min_length=1, max_length=20_000),
]
Text = Annotated[str, Field(max_length=2000)]
Device = Literal["auto", "cpu", "cuda"]


class Record(Spec):
    """What is kept of a trajectory beyond the scalars that are always kept."""

    neurons: bool = Field(False, description="each neuron's own margin and norm (two_layer)")
    snapshots: Literal[0, 1, 2, 4, 8, 16, 32, 64] = Field(
        0, description="weights kept, per decade of steps; `sharpness` is computed there"
    )


class Train(Spec):
    """Full-batch gradient descent over a grid of stepsizes, once per seed."""

    eta: Grid | None = Field(None, description="stepsizes eta; the step taken is width * eta")
    stepsize: Grid | None = Field(None, description="the steps taken (eta_tilde)")
    seeds: Seeds = Field(description="seeds of the initial weights")
    seeds_per_job: int = Field(1, ge=1, le=20_000, description="seeds trained in one batch")
    steps: int = Field(ge=1, le=10**9, description="number of updates T")
    dtype: Literal["float32", "float64"] = Field("float64", description="of weights and data")
    device: Device | None = Field(None, description="overrides the top-level device")
    record: Record = Field(Record(), description="what else to keep")

    @model_validator(mode="after")
    def _one_grid(self):
        if (self.eta is None) == (self.stepsize is None):
            raise ValueError("stepsize: give exactly one of eta and stepsize")
        for key in ("eta", "stepsize", "seeds"):
            values = getattr(self, key) or ()
            if len(set(values)) < len(values):
                twice = next(v for v in values if values.count(v) > 1)
                raise ValueError(f"{key}: values must differ (got {twice:g} more than once)")
        return self

    @cached_property
    def jobs(self) -> dict[str, tuple[int, ...]]:
        """Seeds of each train job, by the name that its files carry.

        "3", "0-4" for consecutive seeds, "1_5_7" for others, "1_and_99_more" where that were long.
        """
        size = self.seeds_per_job
        groups = [self.seeds[i : i + size] for i in range(0, len(self.seeds), size)]
        return {_job_name(group): group for group in groups}


class Sharpness(Spec):
    """Largest eigenvalues of the loss's Hessian at every snapshot; changing it trains nothing.

    Exact up to 128 weights; beyond that by Lanczos, and null where the budget does not suffice.
    """

    top: int = Field(1, ge=1, le=16, description="how many eigenvalues, from the largest")
    tolerance: float = Field(0.01, ge=1e-12, lt=1, description="relative, of an eigenvalue")
    products: int = Field(
        200, ge=50, le=10**6, description="budget of Hessian-vector products per snapshot"
    )


class Flow(Spec):
    """Gradient flow, the limit of small stepsizes, by Runge-Kutta; changing it trains nothing.

    It goes as far in time, which is stepsize x step, as the runs do, or as its budget lasts.
    """

    tolerance: float = Field(
        1e-6, ge=1e-12, lt=1, description="of each step's error, in units of max(1, |weight|)"
    )
    evaluations: int = Field(
        20_000, ge=100, le=10**8, description="budget of gradients per seed; then it ends"
    )


class Figure(Spec):
    """Which panels stand side by side in the experiment's figure, and what to see in them."""

    panels: Annotated[tuple[Literal[PANELS], ...], Field(strict=False, min_length=1)] = Field(
        ("loss", "scaled_loss", "normalized_margin"), description="from left to right"
    )
    title: Text = Field("", description="the figure's name where it is not given")
    paper: Text = Field("", description="what the paper states or shows")
    ours: Text = Field("", description="what we chose, because the paper does not state it")
    stand_in: Text = Field("", description="what this stands in for, where the data differ")


class Experiment(Spec):
    """One network on one data set, trained over a grid."""

    dataset: AnyDataset = Field(description="by its source")
    model: AnyModel = Field(description="by its kind")
    train: Train = Field(description="stepsizes, seeds, steps")
    sharpness: Sharpness | None = Field(
        None, description="`{}` computes it, with the defaults; needs train.record.snapshots"
    )
    flow: Flow | None = Field(
        None, description="`{}` computes gradient flow from the same weights, with the defaults"
    )
    figure: Figure = Field(Figure(), description="how to draw it, and what it shows")
    variant_of: Name | None = Field(
        None,
        description="an experiment that this one is but for the keys given here; claims are judged "
        "on it too, but do not depend on it",
    )

    @model_validator(mode="after")
    def _consistent(self):
        two_layer = self.model.kind == "two_layer"
        if self.train.eta is not None and not two_layer:
            raise ValueError("train.eta: only a two_layer model has eta; give stepsize")
        if self.train.record.neurons and not two_layer:
            raise ValueError("train.record.neurons: only a two_layer model has neuron margins")
        if self.sharpness is not None and not self.train.record.snapshots:
            raise ValueError("sharpness: needs train.record.snapshots (got 0)")
        if lack := self.lack(self.figure.panels):
            raise ValueError(f"figure.panels: {lack}")
        return self

    def lack(self, panels: Collection[str]) -> str | None:
        """What one of the panels needs and this experiment does not have; None if it has all."""
        needs = {
            "neuron_margins": (self.train.record.neurons, "train.record.neurons: true"),
            "sharpness": (self.sharpness, "the experiment's sharpness: {}"),
            "flow": (self.flow, "the experiment's flow: {}"),
            "test_accuracy": (
                self.dataset.has_test,
                f"test data, which {self.dataset.source} lacks",
            ),
        }
        for panel, (there, what) in needs.items():
            if panel in panels and not there:
                return f"{panel} needs {what}"
        return None

    @property
    def grid(self) -> tuple[str, tuple[float, ...]]:
        """The stepsizes as they are given: the key, eta or stepsize, and its values."""
        key = "stepsize" if self.train.eta is None else "eta"
        return key, getattr(self.train, key)

    @property
    def stepsizes(self) -> tuple[float, ...]:
        """The steps taken, eta_tilde, in the order configured."""
        if self.train.stepsize is not None:
            return self.train.stepsize
        return tuple(self.model.stepsize_per_eta * eta for eta in self.train.eta)

    @property
    def etas(self) -> tuple[float | None, ...]:
        """eta = eta_tilde / m, or None for a model without it."""
        if self.train.eta is not None:
            return self.train.eta
        factor = self.model.stepsize_per_eta
        return tuple(step / factor if factor else None for step in self.stepsizes)


class Comparison(Figure):
    """A figure of several experiments side by side, each panel of all in turn.

    Their grids of stepsizes must be equal.
    """

    experiments: Annotated[dict[Name, Text], Field(min_length=2, max_length=64)] = Field(
        description="and what to call each"
    )


class Config(Spec):
    """A whole configuration file."""

    name: Name = Field(description="results go to results/<name>/")
    device: Device = Field("auto", description="auto takes a CUDA device where there is one")
    threads: int = Field(1, ge=1, le=1024, description="per train job, whatever --cores says")
    data_root: str = Field(
        "data", min_length=1, max_length=4096, description="folder of downloads and image folders"
    )
    experiments: dict[Name, Experiment] = Field(
        min_length=1, max_length=10_000, description="each is trained, measured and drawn"
    )
    comparisons: dict[Name, Comparison] = Field(
        {}, max_length=1000, description="figures of several experiments side by side"
    )

    @model_validator(mode="before")
    @classmethod
    def _variants(cls, content: Any) -> Any:
        given = content.get("experiments") if isinstance(content, Mapping) else None
        if not isinstance(given, Mapping):
            return content
        whole = {name: _completed(name, entry, given) for name, entry in given.items()}
        return {**content, "experiments": whole}

    @model_validator(mode="after")
    def _comparable(self):
        for name, comparison in self.comparisons.items():
            place = f"comparisons.{name}"
            if name in self.experiments:
                raise ValueError(f"{place}: is also the name of an experiment")
            unknown = [each for each in comparison.experiments if each not in self.experiments]
            if unknown:
                raise ValueError(f"{place}.experiments: {unknown[0]} is not an experiment")
            compared = [self.experiments[each] for each in comparison.experiments]
            for other, experiment in zip(comparison.experiments, compared, strict=True):
                if experiment.grid != compared[0].grid:
                    raise ValueError(f"{place}.experiments: {other} has other stepsizes")
                if lack := experiment.lack(comparison.panels):
                    raise ValueError(f"{place}.panels: {lack} (experiment {other})")
        return self

    def only(self, figure: str) -> "Config":
        """What a figure shows, and nothing else: an experiment, or those of a comparison."""
        comparisons = {name: c for name, c in self.comparisons.items() if name == figure}
        shown = comparisons[figure].experiments if comparisons else (figure,)
        experiments = {
            name: self.experiments[name].model_copy(update={"variant_of": None}) for name in shown
        }
        return Config(name=figure, experiments=experiments, comparisons=comparisons)

    def device_of(self, experiment: str) -> str:
        return self.experiments[experiment].train.device or self.device


def parse(content: Mapping[str, Any], source: str) -> Config:
    """A configuration from what a YAML file holds.

    Raises UserError, one line naming `source`, the key and what would be right.
    """
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{source}: {_explain(error)}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises UserError, one line."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: {_clip(' '.join(str(error).split()), 200)}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: must be a mapping with name and experiments")
    return content


def to_json(part: Spec) -> str:
    """One line of JSON from which the same class can be read again (`model_validate_json`)."""
    return json.dumps(part.model_dump(mode="json"), separators=(",", ":"))


_PARTS, _UNSAID = {"dataset", "model", "train"}, {"train": {"record"}}


def differences(base: Experiment, variant: Experiment) -> list[str]:
    """The keys of data, model and training in which a variant differs, with its values."""
    was, now = (
        _leaves(e.model_dump(mode="json", include=_PARTS, exclude=_UNSAID)) for e in (base, variant)
    )
    changed = {key: value for key, value in now.items() if value not in (None, was.get(key))}
    return [f"{key}: {value}" for key, value in changed.items()]


def _leaves(part: Any, place: str = "") -> dict[str, Any]:
    """Values by their dotted keys; a list is a value."""
    if not isinstance(part, Mapping):
        return {place: part}
    found = (_leaves(value, f"{place}.{key}".lstrip(".")) for key, value in part.items())
    return {key: value for leaves in found for key, value in leaves.items()}


def _completed(name: str, entry: Any, experiments: Mapping[str, Any]) -> Any:
    """A variant with all keys of its base that it does not give; anything else as it is."""
    of = entry.get("variant_of") if isinstance(entry, Mapping) else None
    if of is None:
        return entry
    base = experiments.get(of) if isinstance(of, str) else None
    if not isinstance(base, Mapping) or base.get("variant_of") is not None:
        raise ValueError(
            f"experiments.{name}.variant_of: must be another experiment, no variant itself "
            f"(got {_clip(of)!r})"
        )
    # The words about the base are not about the variant.
    figure = base.get("figure")
    if isinstance(figure, Mapping):
        figure = {key: value for key, value in figure.items() if key not in ("title", "ours")}
        base = {**base, "figure": figure}
    return _merged(base, entry)


def _merged(base: Any, changes: Any) -> Any:
    """`base` with changes; a part of another source, kind or name is not merged but replaced."""
    if not (isinstance(base, Mapping) and isinstance(changes, Mapping)):
        return changes
    if any(key in changes and changes[key] != base.get(key) for key in ("source", "kind", "name")):
        return changes
    return {**base, **{key: _merged(base.get(key), value) for key, value in changes.items()}}


def _job_name(seeds: tuple[int, ...]) -> str:
    if len(seeds) == 1:
        return str(seeds[0])
    consecutive = seeds == tuple(range(seeds[0], seeds[0] + len(seeds)))
    if consecutive:
        return f"{seeds[0]}-{seeds[-1]}"
    # A name is unique among the jobs of an experiment, since no two share their first seed.
    name = "_".join(map(str, seeds))
    return name if len(name) <= 64 else f"{seeds[0]}_and_{len(seeds) - 1}_more"


#: Pydantic's words where they speak of Python rather than of YAML.
_SAID = {
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have {max_length} or fewer entries",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_pattern_mismatch": "must match {pattern}",
}


def _explain(error: ValidationError) -> str:
    """The first mistake, in one line: key, what would be right, what was given."""
    mistakes = error.errors(include_url=False)
    first = mistakes[0]
    place = _place(first["loc"])
    kind, context, given = first["type"], first.get("ctx", {}), first["input"]
    if kind == "missing":
        text = "is missing"
    elif kind == "extra_forbidden":
        text = "is not a known key"
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        key = context["discriminator"].strip("'")
        place = f"{place}.{key}"
        if kind == "union_tag_not_found":
            text = "is missing"
        else:
            text = f"must be one of {context['expected_tags']} (got {_clip(context['tag'])!r})"
    elif kind == "value_error":
        inner, _, text = str(context["error"]).partition(": ")
        place = f"{place}.{inner}"
    else:
        text = _SAID.get(kind) or first["msg"].replace("Input should be", "must be")
        text = text.format(**context)
        text = f"{text[0].lower()}{text[1:]} (got {_clip(given)!r})"
        if kind.startswith(("int", "float")) and isinstance(given, str) and _is_number(given):
            text += f"; YAML takes this for text, write {float(given):.17g}"
    return f"{place.lstrip('.')}: {text}".removeprefix(": ")


def _place(location: tuple) -> str:
    """The dotted key; drops the tags that pydantic puts where it chose from a union."""
    place = ""
    for before, part in pairwise(("", *location)):
        if before in ("dataset", "model", "activation") and part != "name":
            continue
        if isinstance(part, str) and (part.startswith("function-") or "[" in part):
            continue
        place += f"[{part}]" if isinstance(part, int) else f".{_clip(part)}"
    return place.encode("unicode_escape").decode()


def _clip(value: Any, length: int = 60) -> Any:
    if isinstance(value, str):
        return value if len(value) <= length else value[:length] + "..."
    text = repr(value)
    return value if len(text) <= length else _Clipped(text[:length] + "...")


class _Clipped(str):
    __repr__ = str.__str__


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
