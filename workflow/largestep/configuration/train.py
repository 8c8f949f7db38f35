"""How an experiment is trained: loss, direction, stepsize policy, and a grid of runs."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from largestep.common.part import Part
from largestep.configuration.method import Method, differ
from largestep.method.losses import AnyLoss
from largestep.method.losses.logistic import Logistic
from largestep.method.papers import is_papers

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


class Train(Method):
    """Full-batch descent over a grid, once per seed.

    Exactly one of eta, stepsize and grid, and a policy that has its numbers needs none of them; or
    `methods`, each with a direction, a policy and a grid of its own.
    """

    methods: (
        Annotated[tuple[Method, ...], Field(strict=False, min_length=2, max_length=64)] | None
    ) = Field(
        None, description="several side by side; figures show the best run of each one's grid"
    )
    loss: AnyLoss = Field(Logistic(), description="by its name")
    seeds: Seeds = Field(description="seeds of the initial weights")
    seeds_per_job: int = Field(1, ge=1, le=20_000, description="seeds trained in one batch")
    steps: int = Field(ge=1, le=10**9, description="number of updates T")
    dtype: Literal["float32", "float64"] = Field("float64", description="of weights and data")
    device: Device | None = Field(None, description="overrides the top-level device")
    record: Record = Field(Record(), description="what else to keep")

    def check(self) -> None:
        differ("seeds", self.seeds)
        if self.methods is None:
            super().check()
            return
        own = Method.model_fields
        given = [key for key in own if getattr(self, key) != own[key].default]
        if given:
            raise ValueError(f"{given[0]}: belongs to each of methods, not beside them")

    @property
    def apart(self) -> tuple["Train", ...]:
        """The same for each of the methods alone."""
        whole = self.model_dump()
        methods = [method.model_dump() for method in self.methods or ()]
        alone = [Train.model_validate(whole | {"methods": None} | method) for method in methods]
        return tuple(alone) or (self,)

    @property
    def papers(self) -> bool:
        """Whether this is the paper's method: constant-stepsize gradient descent, logistic loss."""
        return not self.methods and is_papers(self.loss, self.direction, self.policy)

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
