"""What tells the curves of an experiment apart."""

from collections.abc import Hashable

import pandas as pd

#: The effective stepsize or, where a policy chooses it, the policy.
Key = Hashable


def key(frame: pd.DataFrame) -> pd.Series:
    """Of each row of a result table: its stepsize, or its policy where the stepsize is null."""
    return frame["stepsize"].astype(object).where(frame["stepsize"].notna(), frame["policy"])
