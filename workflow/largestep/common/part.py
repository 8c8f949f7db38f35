"""What every part of a configuration has in common."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A frozen piece of configuration: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @property
    def modules(self) -> set[str]:
        """Where this part and those in it are defined, for fingerprints: "method.models.mlp"."""
        inner = (value for _, value in self if isinstance(value, Part))
        own = type(self).__module__.partition(".")[2]
        return {own}.union(*(part.modules for part in inner))
