"""Variants: experiments given by what differs from another one."""

from collections.abc import Mapping
from typing import Any

from largestep.configuration.experiment import Experiment
from largestep.configuration.mistakes import clip

_PARTS, _UNSAID = {"dataset", "model", "train"}, {"train": {"record"}}


def differences(base: Experiment, variant: Experiment) -> list[str]:
    """The keys of data, model and training in which a variant differs, with its values."""
    was, now = (
        _leaves(e.model_dump(mode="json", include=_PARTS, exclude=_UNSAID)) for e in (base, variant)
    )
    changed = {key: value for key, value in now.items() if value not in (None, was.get(key))}
    return [f"{key}: {value}" for key, value in changed.items()]


def _leaves(part: Any, place: str = "") -> dict[str, Any]:
    """Values by their dotted keys; a list is a value."""
    if not isinstance(part, Mapping):
        return {place: part}
    found = (_leaves(value, f"{place}.{key}".lstrip(".")) for key, value in part.items())
    return {key: value for leaves in found for key, value in leaves.items()}


def completed(name: str, entry: Any, experiments: Mapping[str, Any]) -> Any:
    """A variant with all keys of its base that it does not give; anything else as it is."""
    of = entry.get("variant_of") if isinstance(entry, Mapping) else None
    if of is None:
        return entry
    base = experiments.get(of) if isinstance(of, str) else None
    if not isinstance(base, Mapping) or base.get("variant_of") is not None:
        raise ValueError(
            f"experiments.{name}.variant_of: must be another experiment, no variant itself "
            f"(got {clip(of)!r})"
        )
    # The words about the base are not about the variant.
    figure = base.get("figure")
    if isinstance(figure, Mapping):
        figure = {key: value for key, value in figure.items() if key not in ("title", "ours")}
        base = {**base, "figure": figure}
    return _merged(base, entry)


def _merged(base: Any, changes: Any) -> Any:
    """`base` with changes; a part of another source, kind or name is not merged but replaced."""
    if not (isinstance(base, Mapping) and isinstance(changes, Mapping)):
        return changes
    if any(key in changes and changes[key] != base.get(key) for key in ("source", "kind", "name")):
        return changes
    return {**base, **{key: _merged(base.get(key), value) for key, value in changes.items()}}
