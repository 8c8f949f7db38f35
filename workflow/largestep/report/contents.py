"""All that a report tells, as the files of a run hold it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from largestep.configuration.config import Config


@dataclass(frozen=True)
class Image:
    """A figure's files."""

    svg: bytes
    png: bytes

    @property
    def uri(self) -> str:
        """The PNG, for where the SVG is too heavy."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclass(frozen=True, eq=False)
class Contents:
    """What the page and its Markdown twin are made of.

    figures: per experiment, comparison or atlas. trajectories, runs: rows of the result tables;
    runs give the order of the experiments. facts: per data set, by its key. times: one row per
    job, with columns stage, seconds and memory (MiB). claims: entries of claims.json. findings:
    rows of claims.parquet. machine, versions: names and values. atlases: of each the numbers of
    `runs` and of `diverged` ones, and `rate`, runs trained a second, None where nobody knows.
    """

    config: Config
    figures: Mapping[str, Image]
    trajectories: pd.DataFrame
    runs: pd.DataFrame
    facts: Mapping[str, dict]
    times: pd.DataFrame
    claims: Sequence[Mapping[str, Any]]
    findings: pd.DataFrame
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    commit: str
    finished: datetime
    atlases: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
