"""What a finished job says of its result: a few words for the terminal, kept in its record.

Nothing here can change a result, so fingerprints leave this module out.
"""

import argparse
import json

import pyarrow.parquet as pq

from largestep.graph.last_words import by_origin


def prepared(arguments: argparse.Namespace) -> str:
    """Of a data set: 500 samples, dimension 64."""
    facts = json.loads(arguments.facts.read_text())
    return f"{sum(facts['counts']['train'].values())} samples, dimension {facts['dimension']}"


def trained(arguments: argparse.Namespace) -> str:
    """Of a grid: how many runs, how they went, and where their losses ended."""
    runs = pq.read_table(arguments.runs).to_pandas()
    ended = runs["final_loss"].dropna()
    oscillated = int((runs["last_increase_step"] > 0).sum())
    parts = [f"{len(runs)} run{'s' * (len(runs) != 1)}", f"{oscillated} non-monotone"]
    parts += [
        f"{n} {status}" for status, n in runs["status"].value_counts().items() if status != "ok"
    ]
    if len(ended):
        low, high = (f"{value:.1e}" for value in (ended.min(), ended.max()))
        parts.append(f"loss {low}" + (f" to {high}" if low != high else ""))
    return ", ".join(parts)


def mapped(arguments: argparse.Namespace) -> str:
    """Of an atlas: how many runs, and how many diverged."""
    statuses = pq.read_table(arguments.out, columns=["status"])["status"].to_pylist()
    diverged = statuses.count("diverged")
    return f"{len(statuses):,} runs" + (f", {diverged:,} diverged" if diverged else "")


def rows(arguments: argparse.Namespace) -> str:
    """Of a table: its number of rows."""
    return f"{pq.read_metadata(arguments.out).num_rows:,} rows"


def judged(arguments: argparse.Namespace) -> str:
    """Of the claims: paper 14 of 14, derived 5 of 5, extension 10 of 12 claims hold."""
    found = by_origin(json.loads(arguments.json.read_text()))
    counts = (f"{origin} {text.partition(' claim')[0]}" for origin, text in found.items())
    return f"{', '.join(counts)} claims hold"


def noted(arguments: argparse.Namespace) -> str:
    """Of the note: its size."""
    return f"{arguments.pdf.stat().st_size / 1e6:.1f} MB"


def written(arguments: argparse.Namespace) -> str:
    """Of the report: its size."""
    return f"{arguments.html.stat().st_size / 1e6:.1f} MB"
