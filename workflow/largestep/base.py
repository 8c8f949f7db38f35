"""What every part of a configuration has in common."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A frozen piece of configuration: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class UserError(Exception):
    """Something the user can put right; its message is one line and is all they see."""


class Damaged(UserError):
    """A file in results/ is not what a stage wrote; stages delete it, so that it is made again."""

    def __init__(self, path: Path):
        super().__init__(f"{path}: is damaged")
        self.path = path
