"""One experiment: a network on a data set, trained over a grid of stepsizes."""

import re
from collections.abc import Collection
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from largestep.common.part import Part
from largestep.configuration.method import Method
from largestep.configuration.panels import PANELS
from largestep.configuration.train import Train
from largestep.data import AnyDataset
from largestep.method.models import AnyModel
from largestep.method.policies.policy import Policy

#: Characters that XML, and so an SVG figure, cannot hold; other controls and noncharacters.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef\ufffe\uffff]")


def _printable(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise PydanticCustomError("text", "must have no control characters")
    return text


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Text = Annotated[str, Field(max_length=2000), AfterValidator(_printable)]


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
    geometry: bool = Field(
        False, description="margins in three norms and the distance to a KKT point, likewise"
    )
    figure: Figure = Field(Figure(), description="how to draw it, and what it shows")
    variant_of: Name | None = Field(
        None,
        description="an experiment that this one is but for the keys given here; claims are judged "
        "on it too, but do not depend on it",
    )

    @model_validator(mode="after")
    def _consistent(self):
        known = set()
        for place, method in self._methods:
            if method.eta is not None and self.model.stepsize_per_eta is None:
                raise ValueError(f"{place}.eta: only a two_layer model has eta; give stepsize")
            for policy in method.policies(self.model.stepsize_per_eta):
                if (run := repr((method.direction, policy))) in known:
                    raise ValueError(f"{place}: has a run that an earlier method has as well")
                known.add(run)
        labels = [method.label for _, method in self._methods]
        if len(set(labels)) < len(labels):
            raise ValueError("train.methods: two differ in the numbers of their grid alone")
        if self.train.record.neurons and self.model.head is None:
            raise ValueError("train.record.neurons: only a two_layer model has neuron margins")
        if self.flow is not None and not all(
            method.direction.plain and method.policy.constant for _, method in self._methods
        ):
            raise ValueError("flow: is the limit of gradient descent with constant stepsizes alone")
        for key in ("sharpness", "geometry"):
            if getattr(self, key) and not self.train.record.snapshots:
                raise ValueError(f"{key}: needs train.record.snapshots (got 0)")
        if lack := self.lack(self.figure.panels):
            raise ValueError(f"figure.panels: {lack}")
        return self

    def lack(self, panels: Collection[str]) -> str | None:
        """What one of the panels needs and this experiment does not have; None if it has all."""
        needs = {
            "neuron_margins": (self.train.record.neurons, "train.record.neurons: true"),
            "sharpness": (self.sharpness, "the experiment's sharpness: {}"),
            "flow": (self.flow, "the experiment's flow: {}"),
            **dict.fromkeys(
                ("own_margin", "final_margins", "alignment", "slackness"),
                (self.geometry, "the experiment's geometry: true"),
            ),
            **dict.fromkeys(
                ("test_accuracy", "test_accuracy_by_loss"),
                (self.dataset.has_test, f"test data, which {self.dataset.source} lacks"),
            ),
        }
        for panel, (there, what) in needs.items():
            if panel in panels and not there:
                return f"{panel} needs {what}"
        return None

    @property
    def _methods(self) -> list[tuple[str, Method]]:
        """Each method, and its key."""
        if self.train.methods is None:
            return [("train", self.train)]
        return [(f"train.methods[{k}]", each) for k, each in enumerate(self.train.methods)]

    @property
    def apart(self) -> tuple["Experiment", ...]:
        """The same experiment for each of its methods alone."""
        if self.train.methods is None:
            return (self,)
        whole = self.model_dump()
        return tuple(
            Experiment.model_validate(whole | {"train": train.model_dump()})
            for train in self.train.apart
        )

    @property
    def grid(self) -> tuple[str, tuple[float | None, ...]]:
        """The grid as it is given: its key (eta, stepsize, policy.shrink, ...) and its values;
        of several methods, which have a grid each, no value for every run."""
        if self.train.methods is not None:
            return "methods", (None,) * len(self.policies)
        return self.train.values

    @property
    def given(self) -> dict[float, float]:
        """Each effective stepsize of one grid in the symbol in which it is given."""
        pairs = zip(self.stepsizes, self.grid[1], strict=True)
        return {step: value for step, value in pairs if None not in (step, value)}

    @cached_property
    def policies(self) -> tuple[Policy, ...]:
        """The policy of every run of a seed, in the order configured."""
        factor = self.model.stepsize_per_eta
        return tuple(policy for _, method in self._methods for policy in method.policies(factor))

    @property
    def stepsizes(self) -> tuple[float | None, ...]:
        """The effective stepsizes eta_tilde in that order; None where the grid is over another
        number of the policy, or over none, and the policy's name tells runs apart."""
        found: list[float | None] = []
        for _, method in self._methods:
            policies = method.policies(self.model.stepsize_per_eta)
            by_stepsize = method.values[0] in ("eta", "stepsize", "policy.stepsize")
            found += [policy.stepsize if by_stepsize else None for policy in policies]
        return tuple(found)

    @property
    def etas(self) -> tuple[float | None, ...]:
        """eta = eta_tilde / m, or None for a model without it."""
        if self.train.eta is not None:
            return self.train.eta
        factor = self.model.stepsize_per_eta
        return tuple(step / factor if factor and step else None for step in self.stepsizes)
