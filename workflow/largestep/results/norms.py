"""Margins and alignment in three norms, from rows of trajectories.parquet with geometry.

With M the order of the network, q_i = y_i f(w; x_i), and a norm p with its dual q:
geometric margin min_i q_i / ||w||_p^M, soft margin ln(1 / (n L)) / ||w||_p^M, and alignment
<-grad L, w> / (||grad L||_q ||w||_p).
"""

import numpy as np
import pandas as pd

#: For each norm: its name in formulas, the column of ||w||, and that of the gradient's dual norm.
NORMS = {
    "l1": (r"\ell_1", "norm_l1", "grad_norm_linf"),
    "l2": (r"\ell_2", "param_norm", "grad_norm"),
    "linf": (r"\ell_\infty", "norm_linf", "grad_norm_l1"),
}


def margin(rows: pd.DataFrame, norm: str, order: int) -> pd.Series:
    """The geometric margin; nan where there is no geometry."""
    return rows["margin"].where(rows["norm_l1"].notna()) / rows[NORMS[norm][1]] ** order


def soft_margin(rows: pd.DataFrame, norm: str, order: int, n: int) -> pd.Series:
    """The soft margin, of n samples."""
    return -np.log(n * rows["loss"]) / rows[NORMS[norm][1]] ** order


def alignment(rows: pd.DataFrame, norm: str) -> pd.Series:
    """At most 1, and 1 where -grad L lies in the cone of the norm's subdifferential at w."""
    _, weights, gradient = NORMS[norm]
    return rows["pull"] / (rows[gradient] * rows[weights])
