"""A whole configuration: experiments, figures that compare them, and maps over their numbers."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from largestep.common.part import Part
from largestep.configuration.atlas import Atlas
from largestep.configuration.experiment import Experiment, Figure, Name, Text
from largestep.configuration.panels import UNCOLOURED
from largestep.configuration.train import Device
from largestep.configuration.variants import completed


class Comparison(Figure):
    """A figure of several experiments side by side, each panel of all in turn.

    Their grids of stepsizes must be equal, unless all panels have the stepsize on an axis.
    """

    experiments: Annotated[dict[Name, Text], Field(min_length=2, max_length=64)] = Field(
        description="and what to call each"
    )


#: Folders beside those of configurations.
_TAKEN = ("benchmarks", "data", "store")


class Config(Part):
    """A whole configuration file."""

    name: Name = Field(description="results go to results/<name>/")
    device: Device = Field("auto", description="auto takes a CUDA device where there is one")
    threads: int = Field(1, ge=1, le=1024, description="per train job, whatever --cores says")
    data_root: str = Field(
        "data",
        min_length=1,
        max_length=4096,
        pattern=r"^[^\x00-\x1f]+$",
        description="folder of downloads and image folders",
    )
    experiments: dict[Name, Experiment] = Field(
        min_length=1, max_length=10_000, description="each is trained, measured and drawn"
    )
    comparisons: dict[Name, Comparison] = Field(
        {}, max_length=1000, description="figures of several experiments side by side"
    )
    atlases: dict[Name, Atlas] = Field(
        {}, max_length=1000, description="maps of an experiment's runs over two axes"
    )

    @model_validator(mode="before")
    @classmethod
    def _variants(cls, content: Any) -> Any:
        given = content.get("experiments") if isinstance(content, Mapping) else None
        if not isinstance(given, Mapping):
            return content
        whole = {name: completed(name, entry, given) for name, entry in given.items()}
        return {**content, "experiments": whole}

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name.lower() in _TAKEN:
            raise ValueError(f"must be another name than {', '.join(_TAKEN)}, which results/ has")
        return name

    @model_validator(mode="after")
    def _distinct(self):
        """Also on a disk that knows no difference between XOR and xor."""
        seen: dict[str, str] = {}
        for name in (*self.experiments, *self.comparisons, *self.atlases):
            other = seen.setdefault(name.lower(), name)
            if other != name:
                raise ValueError(f"{name} and {other}: names must differ by more than case")
        return self

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
                grids = [(e.grid, e.train.methods) for e in (experiment, compared[0])]
                if grids[0] != grids[1] and not UNCOLOURED.issuperset(comparison.panels):
                    raise ValueError(f"{place}.experiments: {other} has other stepsizes")
                if lack := experiment.lack(comparison.panels):
                    raise ValueError(f"{place}.panels: {lack} (experiment {other})")
        return self

    @model_validator(mode="after")
    def _mappable(self):
        for name, atlas in self.atlases.items():
            place = f"atlases.{name}"
            if name in self.experiments or name in self.comparisons:
                raise ValueError(f"{place}: is also the name of an experiment or a comparison")
            if atlas.of not in self.experiments:
                raise ValueError(f"{place}.of: {atlas.of} is not an experiment")
            if wrong := atlas.mistake(self.experiments[atlas.of]):
                raise ValueError(f"{place}.{wrong}")
        return self

    def figure(self, name: str) -> Figure:
        """What is drawn, and the words for it: of an experiment, a comparison or an atlas."""
        own = self.comparisons.get(name) or self.atlases.get(name)
        return own or self.experiments[name].figure

    def only(self, figure: str) -> "Config":
        """What a figure shows, and nothing else: an experiment, those of a comparison, an atlas."""
        comparisons = {name: c for name, c in self.comparisons.items() if name == figure}
        atlases = {name: a for name, a in self.atlases.items() if name == figure}
        shown = comparisons[figure].experiments if comparisons else (figure,)
        shown = (atlases[figure].of,) if atlases else shown
        experiments = {
            name: self.experiments[name].model_copy(update={"variant_of": None}) for name in shown
        }
        return Config(
            name=figure, experiments=experiments, comparisons=comparisons, atlases=atlases
        )

    def device_of(self, experiment: str) -> str:
        return self.experiments[experiment].train.device or self.device
