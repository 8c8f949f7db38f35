"""The columns of every table, and how tables are written: equal contents, equal bytes."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from largestep.common.errors import Damaged
from largestep.common.files import replacing

_DIGEST = "largestep.sha256"  # in the file's metadata: the hash of its contents
_GROUP = 2**17  # rows that are written, and read, at a time

T = TypeVar("T")

_text, _int, _float = pa.string(), pa.int64(), pa.float64()

#: What identifies a run. `stepsize` is the effective one (eta_tilde), null where a grid is over
#: another number; `policy` then has all of the policy's. `eta` is null where the model
#: has none.
IDENTITY = {
    "experiment": _text,
    "dataset": _text,
    "model": _text,
    "activation": _text,
    "loss_function": _text,
    "descent": _text,
    "policy": _text,
    "seed": _int,
    "stepsize": _float,
    "eta": _float,
}

#: Of these, what tells the runs of an experiment apart.
_WHICH = ["seed", "descent", "policy", "stepsize"]

#: What `engine.geometry` finds at kept weights.
GEOMETRIC = (
    "slackness",  # complementary slackness: mean of q_i / min q - 1, weighted by -l'(q_i)
    "pull",  # <-grad L, w>
    "norm_l1",  # of the weights
    "norm_linf",
    "grad_norm_l1",  # of grad L
    "grad_norm_linf",
    "next_loss",  # after one more step; null where the step depends on more than the weights
)

#: One row per run and recorded step; row `step` = t is the state after t updates.
TRAJECTORIES = pa.schema(
    IDENTITY
    | {
        "step": _int,
        "loss": _float,
        "margin": _float,  # min_i y_i f(x_i)
        "normalized_margin": _float,  # margin / ||w||^M
        "param_norm": _float,  # ||w||
        "grad_norm": _float,  # ||grad L||
        "running_mean_loss": _float,  # mean of the loss over steps 0 .. step-1; null at step 0
        "running_mean_slope": _float,  # mean over steps 0 .. step-1 of G = mean_i |l'(y_i f_i)|
        "displacement": _float,  # ||w_t - w_0||
        "cosine_to_half": _float,  # cosine of w_t and w_{t/2}; at powers of two, else null
        "train_accuracy": _float,
        "test_accuracy": _float,  # null without test data
        "moving_fraction": _float,  # weights that the next update changes
        "time": _float,  # effective time: the sum of the stepsizes so far
        "last_stepsize": _float,  # of the step that led here; null at step 0
        "evaluations": _float,  # of gradients, losses and Hessian-vector products so far
        "sharpness": _float,  # largest eigenvalue of the loss's Hessian; null where not computed
        "flow_loss": _float,  # gradient flow's, at time stepsize * step; null where not computed
        **dict.fromkeys(GEOMETRIC, _float),  # null where not computed
    }
)

#: One row per run.
RUNS = pa.schema(
    IDENTITY
    | {
        "key": _text,  # of the run in the store: a hash of all that determines its numbers
        "dtype": _text,
        "device": _text,
        "steps": _int,
        "status": _text,  # ok, diverged or frozen
        "status_step": _int,  # first non-finite step, or first recorded frozen one; else null
        "final_loss": _float,
        "final_margin": _float,
        "final_normalized_margin": _float,
        "final_param_norm": _float,
        "final_train_accuracy": _float,
        "final_test_accuracy": _float,
        "last_increase_step": _int,  # largest t with loss_t > loss_{t-1}, beyond round-off; 0: none
        "increases": _int,
        "separation_step": _int,  # first t with margin > 0
        "stable_phase_step": _int,  # first t under stable_threshold
        "stable_threshold": _float,  # Theorem 2.2's; null where its hypotheses fail
        # From stable_phase_step on, null without it:
        "normalized_margin_drawdown": _float,  # largest fall from an earlier maximum
        "gamma_a_drawdown": _float,  # of ln(1/(n L)) / ||w||^M
        "gamma_b_drawdown": _float,  # of (ln(1/(n L)) - kappa) / ||w||^M
        "largest_loss_rise": _float,  # largest (L_{t+1} - L_t) / L_t; negative: always fell
        "smallest_norm_growth": _float,  # smallest ||w_{t+1}|| / ||w_t|| - 1
        "smallest_descent_ratio": _float,  # of (L_t - L_{t+1}) / (stepsize ||grad L_t||^2)
    }
)

#: One row per run of an atlas: what is told of any run, where it stands, what maps need besides.
ATLAS = pa.schema(
    [
        *RUNS,
        pa.field("x", _float),
        pa.field("y", _float),
        pa.field("initial_sharpness", _float),  # at the initial weights; null without a stepsize
        # From the initial weights to the last (engine/movement.py), null where not asked for:
        pa.field("relative_movement", _float),
        pa.field("feature_movement", _float),
        pa.field("kernel_movement", _float),
    ]
)

#: One row per run, recorded step and neuron.
NEURONS = pa.schema(
    IDENTITY
    | {
        "step": _int,
        "neuron": _int,
        "output_weight": _float,
        "neuron_margin": _float,  # min_i y_i sign(a_j) (x_i . w_j) / ||w_j||
        "neuron_norm": _float,  # ||w_j||
    }
)


#: One row per run, kept weights (a snapshot) and eigenvalue of the loss's Hessian.
SHARPNESS = pa.schema(
    IDENTITY
    | {
        "step": _int,
        "rank": _int,  # 1: the largest eigenvalue, the sharpness
        "eigenvalue": _float,  # null where the budget did not suffice or the run has diverged
    }
)

#: One row per seed and time = stepsize * step of a recorded step, as far as the budget suffices.
FLOW = pa.schema(
    {
        "experiment": _text,
        "seed": _int,
        "time": _float,
        "loss": _float,
        "margin": _float,
        "normalized_margin": _float,
        "param_norm": _float,
        "evaluations": _int,  # gradients that it took to get there
    }
)


#: One row per run and kept weights.
GEOMETRY = pa.schema(IDENTITY | {"step": _int} | dict.fromkeys(GEOMETRIC, _float))


def write(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    """Write `frame`, in the columns of `schema`, whole or not at all."""
    concat([pa.Table.from_pandas(frame, schema=schema, preserve_index=False)], schema, path)


def concat(parts: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    """Stream tables into one file, which carries the hash of its contents.

    Memory holds one part and one group of rows at a time, however many parts there are.
    """
    digest = hashlib.sha256()
    with (
        replacing(path) as partial,
        pq.ParquetWriter(partial, schema, compression="zstd") as writer,
    ):
        for group in _regroup(part.select(schema.names).cast(schema) for part in parts):
            _add(digest, group)
            writer.write_table(group)
        writer.add_key_value_metadata({_DIGEST: digest.hexdigest()})


def load(path: Path, **filters) -> pa.Table:
    """The table in a file that `write` or `concat` made, or its rows with the values given.

    Memory holds those rows and one group of the others. Raises Damaged if the file has changed
    since it was written.
    """

    def chosen(group: pa.Table) -> pa.Table:
        for column, value in filters.items():
            group = group.filter(pc.field(column) == value)
        return group

    return pa.concat_tables(_checked(path, chosen))


def read(path: Path, **filters) -> pd.DataFrame:
    """`load`, as a frame."""
    return load(path, **filters).to_pandas()


def by_experiment(path: Path, names: Iterable[str]) -> Iterator[pd.DataFrame]:
    """The rows of each experiment in turn.

    Memory holds those of one, and one group of the others. The whole file is checked first, and
    once, as in `load`; where an experiment lies is learned there, not from the file's statistics,
    which the check does not cover.
    """
    _, *held = _checked(path, lambda group: set(group["experiment"].unique().to_pylist()))
    with pq.ParquetFile(path) as file:
        for name in names:
            found = [file.schema_arrow.empty_table()]
            for k in (k for k, experiments in enumerate(held) if name in experiments):
                found.append(file.read_row_group(k).filter(pc.field("experiment") == name))
            yield pa.concat_tables(found).to_pandas()


def _checked(path: Path, keep: Callable[[pa.Table], T]) -> list[T]:
    """What `keep` makes of an empty table, then of each of the file's groups of rows.

    Raises Damaged if the file has changed since it was written.
    """
    digest, kept = hashlib.sha256(), []
    try:
        with pq.ParquetFile(path) as file:
            kept.append(keep(file.schema_arrow.empty_table()))
            expected = file.metadata.metadata[_DIGEST.encode()].decode()
            for k in range(file.num_row_groups):
                group = file.read_row_group(k)
                _add(digest, group)
                kept.append(keep(group))
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise Damaged(path) from error
    if digest.hexdigest() != expected:
        raise Damaged(path)
    return kept


def with_sharpness(trajectories: pa.Table, found: pd.DataFrame) -> pa.Table:
    """Rows of TRAJECTORIES with the sharpness that rows of SHARPNESS hold, in the same order."""
    largest = found[found["rank"] == 1].rename(columns={"eigenvalue": "sharpness"})
    return _filled(trajectories, ["sharpness"], largest, [*_WHICH, "step"])


def with_geometry(trajectories: pa.Table, found: pd.DataFrame) -> pa.Table:
    """Rows of TRAJECTORIES with what rows of GEOMETRY hold, in the same order."""
    return _filled(trajectories, GEOMETRIC, found, [*_WHICH, "step"])


def with_flow(trajectories: pa.Table, found: pd.DataFrame) -> pa.Table:
    """Rows of TRAJECTORIES with the loss that rows of FLOW hold for their time, in their order."""
    flow_loss = found.rename(columns={"loss": "flow_loss"})
    return _filled(trajectories, ["flow_loss"], flow_loss, ["seed", "time"])


def _filled(
    table: pa.Table, columns: Sequence[str], found: pd.DataFrame, keys: list[str]
) -> pa.Table:
    """Rows of TRAJECTORIES with columns taken from `found`; null where it lacks their `keys`."""
    rows = table.select([*_WHICH, "step"]).to_pandas()
    rows["time"] = rows["stepsize"] * rows["step"]
    rows = rows.merge(found[[*keys, *columns]], how="left", on=keys, validate="m:1")
    for column in columns:
        place = TRAJECTORIES.get_field_index(column)
        values = pa.array(rows[column], _float, from_pandas=True)
        table = table.set_column(place, TRAJECTORIES.field(place), values)
    return table


def _regroup(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of `_GROUP` rows; the last one may be shorter."""
    waiting = []
    for part in parts:
        waiting.append(part)
        while sum(map(len, waiting)) >= _GROUP:
            together = pa.concat_tables(waiting)
            yield together.slice(0, _GROUP)
            waiting = [together.slice(_GROUP)]
    if rest := [part for part in waiting if len(part)]:
        yield pa.concat_tables(rest)


def _add(digest, table: pa.Table) -> None:
    """Add the contents of a table to a hash, whatever its encoding and chunks."""
    for name in table.column_names:
        column = table[name].combine_chunks()
        digest.update(f"{name} {column.type} {len(column)}".encode())
        digest.update(column.is_null().to_numpy(zero_copy_only=False).tobytes())
        if pa.types.is_string(column.type):
            column = column.dictionary_encode()
            digest.update(json.dumps(column.dictionary.to_pylist()).encode())
            column = column.indices
        digest.update(column.fill_null(0).to_numpy(zero_copy_only=False).tobytes())
