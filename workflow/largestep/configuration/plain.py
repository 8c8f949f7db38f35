"""A configuration file is plain data of a sensible size; anything else is refused unread.

Snakemake's own reader takes minutes for millions of numbers, and runs the code in a file that asks
for it (`__use_yte__`). This looks at a file's size and at the events of YAML's parser in C, and
builds nothing.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from largestep.common.errors import UserError
from largestep.configuration.mistakes import clip

LARGEST = 4 * 2**20  # bytes: 250 times config/paper.yaml
DEEPEST = 32  # levels
MOST = 200_000  # values


def check(path: Path) -> None:
    """Raise UserError, one line, unless a file holds plain YAML (or JSON) of a sensible size."""
    import yaml

    try:
        if not path.is_file():
            raise UserError(f"{path}: must be a file")
        if (size := path.stat().st_size) > LARGEST:
            raise UserError(f"{path}: must be at most {LARGEST:,} bytes (got {size:,})")
        text = path.read_text(encoding="utf-8")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        mistake = _first(yaml.parse(text, loader))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {_brief(error)}") from error
    except yaml.YAMLError as error:
        if _is_json(text):
            return
        raise UserError(f"{path}: {_brief(error)}") from error
    if mistake:
        raise UserError(f"{path}: {mistake}")


def check_command_line(arguments: Sequence[str]) -> None:
    """`check` of the files that a command line of Snakemake gives as --configfile."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--configfile", "--configfiles", type=Path, nargs="+", action="extend")
    try:
        given, _ = parser.parse_known_args(arguments)
    except argparse.ArgumentError:  # Snakemake says it better
        return
    for path in given.configfile or ():
        if path.exists():
            check(path)


def _first(events: Iterable) -> str | None:
    """The first thing in a stream of YAML's events that is not plain data."""
    import yaml

    depth = values = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            return f"line {line}: must have no anchors and aliases; variant_of shares settings"
        if tag := getattr(event, "tag", None):
            return f"line {line}: must have no tags (got {clip(tag)})"
        if isinstance(event, yaml.ScalarEvent) and event.value == "__use_yte__" and depth == 1:
            return f"line {line}: must have no templates (got __use_yte__)"
        values += isinstance(event, yaml.ScalarEvent)
        if values > MOST:
            return f"line {line}: must have at most {MOST:,} values"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                return f"line {line}: must have at most {DEEPEST} levels"
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _brief(error: Exception) -> str:
    return clip(" ".join(str(error).split()), 200)
