"""YAML in, a configuration out; and its parts as JSON, for commands."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from largestep.common.errors import UserError
from largestep.common.part import Part
from largestep.configuration import plain
from largestep.configuration.config import Config
from largestep.configuration.mistakes import clip, explain


def parse(content: Mapping[str, Any], source: str) -> Config:
    """A configuration from what a YAML file holds.

    Raises UserError, one line naming `source`, the key and what would be right.
    """
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{source}: {explain(error)}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises UserError, one line."""
    import yaml

    plain.check(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:  # such as a date that is none
        raise UserError(f"{path}: {clip(' '.join(str(error).split()), 200)}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: must be a mapping with name and experiments")
    return content


def to_json(part: Part) -> str:
    """One line of JSON from which the same class can be read again (`model_validate_json`)."""
    return json.dumps(part.model_dump(mode="json"), separators=(",", ":"))
