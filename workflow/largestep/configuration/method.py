"""How a step is made: a direction, a stepsize policy, and a grid over one of the policy's numbers.

The loss belongs to the experiment: all its methods descend on one landscape.
"""

from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from largestep.common.part import Part
from largestep.method.directions import AnyDirection
from largestep.method.directions.gradient import Gradient
from largestep.method.policies import AnyPolicy
from largestep.method.policies.constant import Constant
from largestep.method.policies.policy import Policy, Search

Positive = Annotated[float, Field(gt=0)]
Grid = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1, max_length=20_000)]


class Method(Part):
    """One of several methods side by side.

    Exactly one of eta, stepsize and grid; a policy that has its numbers needs none of them.
    """

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

    @model_validator(mode="after")
    def _consistent(self):
        self.check()
        return self

    def check(self) -> None:
        """Raise ValueError, "key: what is wrong", where the parts do not go together."""
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
        differ(*self.values)

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

    @property
    def label(self) -> str:
        """The method in a few words: what is not the default, without the numbers of its grid."""
        key = self.values[0].removeprefix("policy.")
        direction = self.direction.described(given=True)
        policy = self.policy.described({"stepsize", key}, given=True)
        if self.policy.constant:
            return "gradient descent" if self.direction.plain else direction
        return policy if self.direction.plain else f"{direction}, {policy}"

    def policies(self, stepsize_per_eta: int | None) -> tuple[Policy, ...]:
        """The policy of each value of the grid."""
        key, values = self.values
        if key == "eta":
            key, values = "stepsize", tuple(stepsize_per_eta * eta for eta in values)
        name = key.removeprefix("policy.")
        if name not in self.policy.numeric():
            return (self.policy,)
        return tuple(self.policy.model_copy(update={name: value}) for value in values)


def differ(key: str, values: tuple) -> None:
    """Raise ValueError where a value occurs twice."""
    if len(set(values)) < len(values):
        twice = next(v for v in values if values.count(v) > 1)
        raise ValueError(f"{key}: values must differ (got {twice:g} more than once)")
