"""How an experiment is trained: loss, direction, stepsize policy, and a grid of runs."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from largestep.common.part import Part
from largestep.method.directions import AnyDirection
from largestep.method.directions.gradient import Gradient
from largestep.method.losses import AnyLoss
from largestep.method.losses.logistic import Logistic
from largestep.method.papers import is_papers
from largestep.method.policies import AnyPolicy
from largestep.method.policies.constant import Constant
from largestep.method.policies.policy import Policy, Search

Positive = Annotated[float, Field(gt=0)]
Grid = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1, max_length=20_000)]
Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**63)], ...],
    Field(strict=False, min_length=1, max_length=20_000),
]
Device = Literal["auto", "cpu", "cuda"]


class Record(Part):
    """What is kept of a trajectory beyond the scalars that are always kept."""

    neurons: bool = Field(False, description="each neuron's own margin and norm (two_layer)")
    snapshots: Literal[0, 1, 2, 4, 8, 16, 32, 64] = Field(
        0, description="weights kept, per decade of steps; `sharpness` is computed there"
    )


class Train(Part):
    """Full-batch descent over a grid, once per seed.

    Exactly one of eta, stepsize and grid; a policy that has its numbers needs none of them.
    """

    loss: AnyLoss = Field(Logistic(), description="by its name")
    direction: AnyDirection = Field(Gradient(), description="of a step, by its name")
    policy: AnyPolicy = Field(Constant(), description="of stepsizes, by its name")
    eta: Grid | None = Field(
        None, description="grid of the policy's stepsize, as eta; the effective one is width * eta"
    )
    stepsize: Grid | None = Field(
        None, description="grid of the policy's stepsize, as effective stepsizes eta_tilde"
    )
    grid: Annotated[dict[str, Grid], Field(min_length=1, max_length=1)] | None = Field(
        None, description="grid of any number of the policy: `{policy.<name>: [...]}`"
    )
    seeds: Seeds = Field(description="seeds of the initial weights")
    seeds_per_job: int = Field(1, ge=1, le=20_000, description="seeds trained in one batch")
    steps: int = Field(ge=1, le=10**9, description="number of updates T")
    dtype: Literal["float32", "float64"] = Field("float64", description="of weights and data")
    device: Device | None = Field(None, description="overrides the top-level device")
    record: Record = Field(Record(), description="what else to keep")

    @model_validator(mode="after")
    def _consistent(self):
        given = [key for key in ("eta", "stepsize", "grid") if getattr(self, key) is not None]
        wants = "stepsize" in self.policy.numeric()
        own = getattr(self.policy, "stepsize", None)
        if len(given) > 1 or (not given and wants and own is None):
            raise ValueError("stepsize: give exactly one of eta, stepsize and grid")
        if given in (["eta"], ["stepsize"]):
            if not wants:
                raise ValueError(f"{given[0]}: the policy {self.policy.name} has no stepsize")
            if own is not None:
                raise ValueError(f"policy.stepsize: is given by {given[0]} already")
        if given == ["grid"]:
            self._check_grid(own)
        if self.direction.remembers and isinstance(self.policy, Search):
            raise ValueError(
                f"policy: {self.policy.name} takes steps back, which {self.direction.name} cannot"
            )
        for key, values in {**dict([self.values]), "seeds": self.seeds}.items():
            if len(set(values)) < len(values):
                twice = next(v for v in values if values.count(v) > 1)
                raise ValueError(f"{key}: values must differ (got {twice:g} more than once)")
        return self

    def _check_grid(self, stepsize: float | None) -> None:
        (key, values), numeric = self.values, self.policy.numeric()
        if key.removeprefix("policy.") not in numeric or not key.startswith("policy."):
            known = ", ".join(f"policy.{name}" for name in numeric) or "nothing"
            raise ValueError(f"grid: a grid of {self.policy.name} is over {known} (got {key!r})")
        name = key.removeprefix("policy.")
        if name != "stepsize" and "stepsize" in numeric and stepsize is None:
            raise ValueError(f"policy.stepsize: is missing, since the grid is over {key}")
        if name == "stepsize" and stepsize is not None:
            raise ValueError("policy.stepsize: is given by grid already")
        for value in values:
            try:
                type(self.policy).model_validate(self.policy.model_dump() | {name: value})
            except ValidationError as error:
                said = error.errors()[0]["msg"].replace("Input should be", "must be")
                raise ValueError(f"grid.{key}: {said} (got {value:g})") from error

    @property
    def values(self) -> tuple[str, tuple[float | None, ...]]:
        """What the grid is over (eta, stepsize, policy.shrink, ...), and its values."""
        if self.grid is not None:
            return next(iter(self.grid.items()))
        if "stepsize" not in self.policy.numeric():
            return "policy", (None,)
        key = "stepsize" if self.eta is None else "eta"
        return key, getattr(self, key) or (self.policy.stepsize,)

    def policies(self, stepsize_per_eta: int | None) -> tuple[Policy, ...]:
        """The policy of each value of the grid."""
        key, values = self.values
        if key == "eta":
            key, values = "stepsize", tuple(stepsize_per_eta * eta for eta in values)
        name = key.removeprefix("policy.")
        if name not in self.policy.numeric():
            return (self.policy,)
        return tuple(self.policy.model_copy(update={name: value}) for value in values)

    @property
    def papers(self) -> bool:
        """Whether this is the paper's method: constant-stepsize gradient descent, logistic loss."""
        return is_papers(self.loss, self.direction, self.policy)

    @cached_property
    def jobs(self) -> dict[str, tuple[int, ...]]:
        """Seeds of each train job, by the name that its files carry.

        "3", "0-4" for consecutive seeds, "1_5_7" for others, "1_and_99_more" where that were long.
        """
        size = self.seeds_per_job
        groups = [self.seeds[i : i + size] for i in range(0, len(self.seeds), size)]
        return {_job_name(group): group for group in groups}


def _job_name(seeds: tuple[int, ...]) -> str:
    if len(seeds) == 1:
        return str(seeds[0])
    consecutive = seeds == tuple(range(seeds[0], seeds[0] + len(seeds)))
    if consecutive:
        return f"{seeds[0]}-{seeds[-1]}"
    # A name is unique among the jobs of an experiment, since no two share their first seed.
    name = "_".join(map(str, seeds))
    return name if len(name) <= 64 else f"{seeds[0]}_and_{len(seeds) - 1}_more"
