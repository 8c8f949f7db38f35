"""The graph of stages as a picture: boxes with jobs and time, and what feeds what."""

from typing import NamedTuple

import pandas as pd

from largestep.common.durations import duration
from largestep.report.numbers import NOTHING, counted

#: Stage -> column and row of its box, and the stages that it reads from.
_PLACES = {
    "dataset": (0, 1, ()),
    "train": (1, 1, ("dataset",)),
    "sharpness": (2, 0, ("train",)),
    "flow": (2, 2, ("dataset",)),
    "geometry": (2, 1, ("train",)),
    "atlas": (2, 3, ("dataset",)),
    "metrics": (3, 1, ("train", "sharpness", "flow", "geometry")),
    "claims": (4, 0, ("metrics",)),
    "figure": (4, 2, ("metrics", "atlas")),
    "report": (5, 1, ("claims", "figure")),
}
_PITCH = (138, 74)
BOX = (112, 50)


class Stage(NamedTuple):
    """One stage: where its box is, in pixels, and what its jobs took."""

    name: str
    x: int
    y: int
    jobs: str
    total: str
    longest: str
    memory: str


def stages(times: pd.DataFrame) -> list[Stage]:
    """The stages that ran, in their order."""
    found = []
    for name, jobs in times.groupby("stage", sort=False):
        column, row, _ = _PLACES[name]
        memory = jobs["memory"].max()
        found.append(
            Stage(
                name,
                2 + column * _PITCH[0],
                2 + row * _PITCH[1],
                counted(len(jobs), "job"),
                duration(jobs["seconds"].sum()),
                duration(jobs["seconds"].max()),
                NOTHING if pd.isna(memory) else f"{memory:.0f} MiB",
            )
        )
    return found


def size(shown: list[Stage]) -> tuple[int, int]:
    """Width and height of the picture, in pixels."""
    lowest = max((stage.y for stage in shown), default=0)
    return 5 * _PITCH[0] + BOX[0] + 4, max(lowest, 2 * _PITCH[1] + 2) + BOX[1] + 2


def arrows(shown: list[Stage]) -> list[tuple[int, int, int, int, int, int]]:
    """Where each begins, is bent towards, and ends: x, y, x, y, x, y.

    From the right side of a box, or from below it where another stands in between.
    """
    boxes = {stage.name: stage for stage in shown}
    found = []
    for name, (column, row, sources) in _PLACES.items():
        for source in (each for each in sources if name in boxes and each in boxes):
            a, b = boxes[source], boxes[name]
            end = (b.x, b.y + BOX[1] // 2)
            if column - _PLACES[source][0] > 1 and row > _PLACES[source][1]:
                begin = (a.x + BOX[0] // 2, a.y + BOX[1])
                found.append((*begin, begin[0], end[1], *end))
            else:
                begin = (a.x + BOX[0], a.y + BOX[1] // 2)
                found.append((*begin, begin[0] + 14, begin[1], *end))
    return found
