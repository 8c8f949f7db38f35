"""Which stepsizes of a configuration share a scale, so that each looks alike in all figures."""

from collections.abc import Iterable

from largestep.configuration.config import Config
from largestep.configuration.experiment import Experiment

_LONG = 12  # a grid with more stepsizes stands on an axis of its own and shares no scale

Grid = tuple[str, set[float]]  # the symbol in which it is given, and its stepsizes


def joined(config: Config) -> dict[str, list[float]]:
    """For each experiment: its stepsizes and those that share a scale with them, in order.

    Grids with a stepsize in common, in the symbol in which they are given, are joined; others
    have a scale for themselves.
    """
    scales: list[Grid] = []
    for experiment in config.experiments.values():
        symbol, own = _grid(experiment)
        if len(own) <= _LONG:
            meets = [scale for scale in scales if scale[0] == symbol and scale[1] & own]
            scales = [scale for scale in scales if scale not in meets]
            scales.append((symbol, own.union(*(values for _, values in meets))))
    return {name: _scale(_grid(each), scales) for name, each in config.experiments.items()}


def _scale(grid: Grid, scales: Iterable[Grid]) -> list[float]:
    symbol, own = grid
    if len(own) > _LONG:
        return sorted(own)
    return sorted(next(values for other, values in scales if other == symbol and own <= values))


def _grid(experiment: Experiment) -> Grid:
    return experiment.grid[0], set(experiment.grid[1])
