"""Points written down or drawn: no files, no test split."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from largestep.data.dataset import Dataset, Seed, describe, file_name
from largestep.data.samples import Loaded


class Points(Dataset):
    @property
    def key(self) -> str:
        values = self.model_dump(exclude={"source"})
        parts = [self.source, *(f"{name}{value}" for name, value in values.items())]
        return file_name(parts, self.model_dump_json())

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """X (n, d) and y (n,), float64."""
        raise NotImplementedError

    def load(self, root: Path) -> Loaded:
        return describe(self, self.points(), None, ("+1", "-1"), origin="computed")


class XOR(Points):
    """x in {-1, +1}^2 and y = -x1 x2: the paper's Figure 2, mirrored (Section 5: y = x1 x2)."""

    source: Literal["xor"] = "xor"

    @property
    def label(self) -> str:
        return "XOR"

    def shape(self, root: Path) -> tuple[int, int, int]:
        return 4, 2, 0

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        X = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=np.float64)
        return X, -X[:, 0] * X[:, 1]


class FivePoints(Points):
    """The five points of the paper's Figure 4; linear margin 0.05, in the direction (1, 0, 0)."""

    source: Literal["five_points"] = "five_points"

    @property
    def label(self) -> str:
        return "five points"

    def shape(self, root: Path) -> tuple[int, int, int]:
        return 5, 3, 0

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        X = [[0.05, 1, 2], [0.05, -2, 1], [-1, 0, 2], [0.05, -2, -2], [0.05, 1, -2]]
        return np.array(X, dtype=np.float64), np.array([1.0, 1, -1, 1, 1])


class Margin(Points):
    """n unit vectors, half of each sign, with margin at least gamma for e1 (our choice).

    x = (y g, sqrt(1 - g^2) u), u uniform on the sphere, g uniform in [gamma, 2 gamma).
    """

    source: Literal["margin"] = "margin"
    n: int = Field(ge=2, le=10**6, multiple_of=2, description="samples")
    d: int = Field(ge=2, le=10**6, description="dimension")
    gamma: float = Field(gt=0, le=0.5, description="margin of the direction e1")
    seed: Seed = Field(0, description="of the generator")

    @model_validator(mode="after")
    def _fits(self):
        if self.n * self.d > 10**9:
            raise ValueError(f"n: n * d must be at most 1e9 (got {self.n * self.d:.0e})")
        return self

    @property
    def label(self) -> str:
        return f"margin generator (n = {self.n}, d = {self.d}, gamma = {self.gamma:g})"

    def shape(self, root: Path) -> tuple[int, int, int]:
        return self.n, self.d, 0

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(self.seed)
        y = np.repeat([1.0, -1.0], self.n // 2)
        U = rng.standard_normal((self.n, self.d - 1))
        U /= np.linalg.norm(U, axis=1, keepdims=True)
        g = self.gamma * (1 + rng.random(self.n))
        return np.column_stack([y * g, np.sqrt(1 - g**2)[:, None] * U]), y
