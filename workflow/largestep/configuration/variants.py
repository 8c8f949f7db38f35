"""Variants: experiments given by what differs from another one."""

from collections.abc import Mapping
from typing import Any

from largestep.configuration.experiment import Experiment
from largestep.configuration.mistakes import clip

_PARTS, _UNSAID = {"dataset", "model", "train"}, {"train": {"record"}}

#: Choices by the beginning of their keys. None: not a choice of method, but of effort.
_CHOICES = {
    "model.width": "width",
    "model.scale": "initial scale",
    "model.initial_weights": "initial weights",
    "model.activation": "activation",
    "model": "network",
    "dataset.preprocessing": "preprocessing",
    "dataset": "samples",
    "train.dtype": "precision",
    "train.seeds": None,
    "train.steps": None,
    "train.eta": None,
    "train.stepsize": None,
    "train.grid": None,
    "train": "method",
}


def differences(base: Experiment, variant: Experiment) -> list[str]:
    """The keys of data, model and training in which a variant differs, with its values."""
    return [f"{key}: {value}" for key, value in _changed(base, variant).items()]


def choice(base: Experiment, variant: Experiment) -> str:
    """What a variant chooses otherwise, in a word or two: width, samples, precision."""
    found = {
        next(word for start, word in _CHOICES.items() if key.startswith(start))
        for key in _changed(base, variant)
    }
    return " and ".join(sorted(found - {None})) or "effort"


def _changed(base: Experiment, variant: Experiment) -> dict[str, Any]:
    was, now = (
        _leaves(e.model_dump(mode="json", include=_PARTS, exclude=_UNSAID)) for e in (base, variant)
    )
    return {key: value for key, value in now.items() if value not in (None, was.get(key))}


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
