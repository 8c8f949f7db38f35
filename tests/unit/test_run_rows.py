import math

import pandas as pd
import torch

from largestep.engine.training import COLUMNS
from largestep.results import run_rows
from largestep.results.store import Run


def test_a_diverged_run_has_no_accuracy_where_its_outputs_are_no_numbers():
    rows = torch.zeros(3, len(COLUMNS), dtype=torch.float64)
    rows[:, COLUMNS.index("train_accuracy")] = rows[:, COLUMNS.index("test_accuracy")] = 0.5
    rows[2, COLUMNS.index("loss")] = math.nan
    rows[2, COLUMNS.index("train_accuracy")] = rows[2, COLUMNS.index("test_accuracy")] = 0
    empty = torch.empty(0)
    run = Run(torch.arange(3), rows, {}, empty, {}, {})
    identity = pd.DataFrame({"experiment": ["diverges"]})
    found = run_rows.trajectories(identity, [run])
    for accuracy in ("train_accuracy", "test_accuracy"):
        assert found[accuracy].fillna(-1).tolist() == [0.5, 0.5, -1]
