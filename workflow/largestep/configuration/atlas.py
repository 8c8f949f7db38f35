"""Atlases: maps of one experiment's runs over two axes, thousands of runs in a few batches."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, ValidationError, model_validator

from largestep.common.part import Part
from largestep.configuration.experiment import Experiment, Figure, Name
from largestep.configuration.mistakes import clip, explain
from largestep.data.points import Points
from largestep.method.models.model import must_be

#: Quantities of a run that an atlas can show, each a panel.
MAPS = (
    "transition_step",
    "last_increase",
    "final_loss",
    "diverged",
    "normalized_margin",
    "test_accuracy",
    "relative_movement",
    "feature_movement",
    "kernel_movement",
)
MOVEMENTS = frozenset({"relative_movement", "feature_movement", "kernel_movement"})

STEPSIZES = ("train.eta", "train.stepsize")
SEEDS = "train.seeds"

#: Runs in a batch, at most: what a killed job may lose. In any batch a run has the same bits.
TOGETHER = 512

_MOST_POINTS, _MOST_CURVES = 20_000, 9

Number = int | float


class Span(Part):
    """Numbers at equal ratios: `{from: 0.5, to: 4096, count: 64}`. Of seeds, which are in no order,
    consecutive ones: `{from: 0, count: 32}`."""

    model_config = ConfigDict(serialize_by_alias=True)

    first: Number = Field(alias="from", ge=0, description="the first number")
    last: float | None = Field(None, alias="to", gt=0, description="the last one; not for seeds")
    count: int = Field(ge=2, le=1000, description="how many")

    @model_validator(mode="after")
    def _consistent(self):
        if self.last is None and not isinstance(self.first, int):
            raise ValueError("from: must be a whole number where there is no `to`")
        if self.last is not None and not 0 < self.first < self.last:
            raise ValueError("from: must be positive and less than `to`")
        return self

    @property
    def values(self) -> tuple[Number, ...]:
        if self.last is None:
            return tuple(range(self.first, self.first + self.count))
        ratio = self.last / self.first
        inner = (self.first * ratio ** (k / (self.count - 1)) for k in range(1, self.count - 1))
        # Six digits, so that a label says what the value is.
        return (float(self.first), *(float(f"{value:.6g}") for value in inner), self.last)


Listed = Annotated[tuple[Number, ...], Field(strict=False, min_length=2, max_length=1000)]
Values = Annotated[
    Span | Listed,
    must_be(
        "a list of two or more numbers, or from, to and count with 0 < from < to "
        "(of seeds, from and count)"
    ),
]
Axis = Annotated[dict[str, Values], Field(min_length=1, max_length=1)]


class Batch(NamedTuple):
    """Runs that share data set and network, at most TOGETHER or those of one seed; x and y have an
    entry a run, all stepsizes of a seed in a row."""

    experiment: Experiment
    x: tuple[Number, ...]
    y: tuple[Number, ...]


class Atlas(Figure):
    """A map of an experiment's runs over two axes, each a key and its values: train.eta,
    train.stepsize, train.seeds, or any number of model or dataset, such as `model.width`.

    What is on no axis is the experiment's. Of several seeds, a cell shows the median.
    """

    panels: Annotated[tuple[Literal[MAPS], ...], Field(strict=False, min_length=1)] = Field(
        ("transition_step", "last_increase", "final_loss"), description="from left to right"
    )
    of: Name = Field(description="the experiment")
    x: Axis = Field(description="`{train.eta: {from: 0.5, to: 4096, count: 64}}`, or a list")
    y: Axis = Field(description="likewise, over another key")
    steps: int | None = Field(
        None, ge=1, le=10**7, description="number of updates T; the experiment's if not given"
    )
    draw: Literal["maps", "curves"] = Field(
        "maps", description="curves: against x, one for each value on y"
    )

    @property
    def axes(self) -> dict[str, tuple[Number, ...]]:
        """The keys on x and on y, with their values."""
        given = {**self.x, **self.y}
        return {key: v.values if isinstance(v, Span) else v for key, v in given.items()}

    @property
    def across(self) -> str:
        """The key on x."""
        return next(iter(self.x))

    @property
    def upward(self) -> str:
        """The key on y."""
        return next(iter(self.y))

    @property
    def stepsize(self) -> str | None:
        """The axis, train.eta or train.stepsize, that is over stepsizes."""
        return next((key for key in self.axes if key in STEPSIZES), None)

    @property
    def moves(self) -> bool:
        """Whether a panel shows how far weights, features or kernel have moved."""
        return bool(MOVEMENTS & set(self.panels))

    @property
    def makes_data(self) -> bool:
        """Whether an axis is over a number of the data set: each value is then one of its own."""
        return any(key.startswith("dataset.") for key in self.axes)

    def runs(self, base: Experiment) -> int:
        """How many runs the maps are made of."""
        points = len(self.axes[self.across]) * len(self.axes[self.upward])
        return points * (1 if SEEDS in self.axes else len(base.train.seeds))

    def batches(self, base: Experiment) -> Iterator[Batch]:
        """The runs, batch by batch; raises ValidationError where the experiment refuses a value.

        base: the experiment `of`.
        """
        content = base.model_dump()
        later = {"sharpness": None, "flow": None, "geometry": False}
        content |= {**later, "figure": {}, "variant_of": None}
        content["train"] |= {"record": {"snapshots": int(self.moves)}}
        content["train"] |= {"steps": self.steps or base.train.steps}
        trained = {key: values for key, values in self.axes.items() if key.startswith("train.")}
        for key, values in trained.items():
            if key in STEPSIZES:
                content["train"] |= {"eta": None, "stepsize": None, "grid": None}
            content["train"][key.partition(".")[2]] = values
        others = {key: values for key, values in self.axes.items() if key not in trained}
        for chosen in product(*others.values()):
            for key, value in zip(others, chosen, strict=True):
                *path, last = key.split(".")
                part = content
                for name in path:
                    part = part[name]
                part[last] = value
            places = dict(zip(others, chosen, strict=True))
            yield from self._divided(Experiment.model_validate(content), places)

    def _divided(self, experiment: Experiment, constant: Mapping[str, Number]) -> Iterator[Batch]:
        """Runs that share data set and network, in batches; constant: their places on axes."""
        train, grid = experiment.train, experiment.grid[1]
        size = max(1, TOGETHER // len(experiment.policies))
        for first in range(0, len(train.seeds), size):
            own = train.model_copy(update={"seeds": train.seeds[first : first + size]})
            runs = [(seed, value) for seed in own.seeds for value in grid]
            x, y = (
                tuple(constant.get(key, seed if key == SEEDS else value) for seed, value in runs)
                for key in self.axes
            )
            yield Batch(experiment.model_copy(update={"train": own}), x, y)

    def mistake(self, base: Experiment) -> str | None:
        """What does not go together with the experiment, "key: what is wrong"; None if all does."""
        if base.train.methods:
            return f"of: {self.of} has several methods; an atlas is of one"
        if self.moves and base.model.activation is None:
            return f"panels: what moves is not known of a {base.model.kind} model"
        if self.across == self.upward:
            return f"y: must be over another key than x (got {self.upward!r} twice)"
        for axis, key in (("x", self.across), ("y", self.upward)):
            if wrong := _unfit(key, self.axes[key], base):
                return f"{axis}: {wrong}"
        if all(key in STEPSIZES for key in self.axes):
            return "y: must be over another key than the stepsize, which is on x"
        if not self.stepsize and (count := len(base.policies)) > 1:
            return f"of: {self.of} has {count} stepsizes; put them on an axis, or give it one"
        return self._too_many() or self._refused(base)

    def _too_many(self) -> str | None:
        points = len(self.axes[self.across]) * len(self.axes[self.upward])
        if points > _MOST_POINTS:
            return f"x: must have at most {_MOST_POINTS:,} points with y (got {points:,})"
        if self.draw == "curves" and (count := len(self.axes[self.upward])) > _MOST_CURVES:
            return f"draw: curves are at most {_MOST_CURVES}, one for each value on y (got {count})"
        return None

    def _refused(self, base: Experiment) -> str | None:
        try:
            experiments = [batch.experiment for batch in self.batches(base)]
        except ValidationError as error:
            return explain(error)
        papers = all(e.train.papers and e.model.head is not None for e in experiments)
        if "transition_step" in self.panels and not papers:
            return (
                "panels: transition_step is Theorem 2.2's: needs a two_layer model, the logistic "
                "loss and gradient descent with constant stepsizes"
            )
        if "test_accuracy" in self.panels and not base.dataset.has_test:
            return f"panels: test_accuracy needs test data, which {base.dataset.source} lacks"
        return None


def _unfit(key: str, values: tuple[Number, ...], base: Experiment) -> str | None:
    """Why an axis cannot be over a key of an experiment."""
    if key in (*STEPSIZES, SEEDS):
        return None
    part, *path = key.split(".")
    if part not in ("model", "dataset") or not path:
        return (
            "must be over train.eta, train.stepsize, train.seeds, or a number of model or dataset "
            f"such as model.width (got {clip(key)!r})"
        )
    if part == "dataset" and not isinstance(base.dataset, Points):
        return f"must not be over {key}: {base.dataset.source} comes from files"
    found: Any = base.model_dump()[part]
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return f"must be over a number that the experiment has (got {clip(key)!r})"
    if len(set(values)) < len(values):
        twice = next(v for v in values if values.count(v) > 1)
        return f"{key}: values must differ (got {twice:g} more than once)"
    return None
