"""Errors that a user can act on; each is one line."""

from pathlib import Path


class UserError(Exception):
    """Something the user can put right; its message is one line and is all they see."""


class Damaged(UserError):
    """A file in results/ is not what a stage wrote; stages delete it, so that it is made again."""

    def __init__(self, path: Path):
        super().__init__(f"{path}: is damaged")
        self.path = path
