"""One experiment: a network on a data set, trained over a grid of stepsizes."""

import re
from collections.abc import Collection
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from largestep.common.part import Part
from largestep.configuration.panels import PANELS
from largestep.data import AnyDataset
from largestep.method.models import AnyModel

#: Characters that XML, and so an SVG figure, cannot hold; other controls and noncharacters.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef\ufffe\uffff]")


def _printable(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise PydanticCustomError("text", "must have no control characters")
    return text


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Positive = Annotated[float, Field(gt=0)]
Grid = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1, max_length=20_000)]
Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**63)], ...],
    Field(strict=False, min_length=1, max_length=20_000),
]
Text = Annotated[str, Field(max_length=2000), AfterValidator(_printable)]
Device = Literal["auto", "cpu", "cuda"]


class Record(Part):
    """What is kept of a trajectory beyond the scalars that are always kept."""

    neurons: bool = Field(False, description="each neuron's own margin and norm (two_layer)")
    snapshots: Literal[0, 1, 2, 4, 8, 16, 32, 64] = Field(
        0, description="weights kept, per decade of steps; `sharpness` is computed there"
    )


class Train(Part):
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


class Sharpness(Part):
    """Largest eigenvalues of the loss's Hessian at every snapshot; changing it trains nothing.

    Exact up to 128 weights; beyond that by Lanczos, and null where the budget does not suffice.
    """

    top: int = Field(1, ge=1, le=16, description="how many eigenvalues, from the largest")
    tolerance: float = Field(0.01, ge=1e-12, lt=1, description="relative, of an eigenvalue")
    products: int = Field(
        200, ge=50, le=10**6, description="budget of Hessian-vector products per snapshot"
    )


class Flow(Part):
    """Gradient flow, the limit of small stepsizes, by Runge-Kutta; changing it trains nothing.

    It goes as far in time, which is stepsize x step, as the runs do, or as its budget lasts.
    """

    tolerance: float = Field(
        1e-6, ge=1e-12, lt=1, description="of each step's error, in units of max(1, |weight|)"
    )
    evaluations: int = Field(
        20_000, ge=100, le=10**8, description="budget of gradients per seed; then it ends"
    )


class Figure(Part):
    """Which panels stand side by side in the experiment's figure, and what to see in them."""

    panels: Annotated[tuple[Literal[PANELS], ...], Field(strict=False, min_length=1)] = Field(
        ("loss", "scaled_loss", "normalized_margin"), description="from left to right"
    )
    title: Text = Field("", description="the figure's name where it is not given")
    paper: Text = Field("", description="what the paper states or shows")
    ours: Text = Field("", description="what we chose, because the paper does not state it")
    stand_in: Text = Field("", description="what this stands in for, where the data differ")


class Experiment(Part):
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


def _job_name(seeds: tuple[int, ...]) -> str:
    if len(seeds) == 1:
        return str(seeds[0])
    consecutive = seeds == tuple(range(seeds[0], seeds[0] + len(seeds)))
    if consecutive:
        return f"{seeds[0]}-{seeds[-1]}"
    # A name is unique among the jobs of an experiment, since no two share their first seed.
    name = "_".join(map(str, seeds))
    return name if len(name) <= 64 else f"{seeds[0]}_and_{len(seeds) - 1}_more"
