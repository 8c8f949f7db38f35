"""What every part of a configuration has in common."""

from collections.abc import Collection
from typing import ClassVar

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


class Named(Part):
    """A part that is chosen by its `name`; `words` is what people call it, where that differs."""

    words: ClassVar[str] = ""

    def described(self, but: Collection[str] = (), *, given: bool = False) -> str:
        """In words, with its parameters but for some, or with those alone that are not the default;
        of flags, those that are set.

        `gelu`; `leaky softplus (c = 0.5)`; `Nesterov with restart`.
        """
        values = self.model_dump(exclude={"name", *but}, exclude_none=True, exclude_defaults=given)
        flags = [f" with {key}" for key, value in values.items() if value is True]
        numbers = [f"{key} = {v:g}" for key, v in values.items() if not isinstance(v, bool)]
        name = self.words or self.name.replace("_", " ")
        return "".join([name, *flags]) + (f" ({', '.join(numbers)})" if numbers else "")
