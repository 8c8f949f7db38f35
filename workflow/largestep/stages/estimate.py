"""Say before a long run what it will take on this machine: runs, steps, time."""

import argparse
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from snakemake.utils import available_cpu_count

from largestep.common.durations import duration
from largestep.configuration import reading
from largestep.graph import dag
from largestep.graph.estimate import Forecast, forecast, wall_time
from largestep.results.store import Store
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    asked = dag.load(reading.read_yaml(arguments.configfile), [arguments.configfile])
    asked.check_devices()
    cores, gpus = arguments.cores or available_cpu_count(), arguments.gpus
    found = forecast(asked, Store(Path("results/store")))
    print(table(found))
    training = wall_time(found, "training", max(1, cores // asked.config.threads), gpus)
    sharpness, flow = (wall_time(found, kind, cores, gpus) for kind in ("sharpness", "flow"))
    machine = _machine(cores, gpus if any(f.cuda for f in found) else 0)
    print(summary(training, sharpness, flow, machine))


def table(found: Iterable[Forecast]) -> str:
    """A line for each experiment; times are those of its jobs one after another."""
    rows = [
        {
            "experiment": f.experiment,
            "runs": f.runs,
            "in the store": f.stored,
            "steps": f"{f.steps:,}",
            "a step of a run": "-" if f.step is None else _brief(f.step),
            "training": duration(sum(f.training)) if f.training else "-",
            "sharpness": duration(sum(f.sharpness)) if f.sharpness else "-",
            "flow, up to": duration(sum(f.flow)) if f.flow else "-",
        }
        for f in found
    ]
    return pd.DataFrame(rows).to_string(index=False)


def summary(training: float, sharpness: float, flow: float, machine: str) -> str:
    times = [("about", training, "training"), ("about", sharpness, "sharpness")]
    times += [("up to", flow, "gradient flow")]
    parts = [f"{word} {duration(time)} of {what}" for word, time, what in times if time]
    if not parts:
        return "Estimate: nothing is left to train"
    return f"Estimate: {', '.join(parts)} on {machine}, beside downloads and figures"


def _machine(cores: int, gpus: int) -> str:
    counts = {"core": cores, "GPU": gpus}
    return " and ".join(f"{n} {noun}{'s' if n > 1 else ''}" for noun, n in counts.items() if n)


def _brief(seconds: float) -> str:
    """Two digits or more, in s, ms or us."""
    unit, size = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if seconds >= s), ("us", 1e-6))
    return f"{seconds / size:.{0 if seconds >= 10 * size else 1}f} {unit}"


def _cores(text: str) -> int | None:
    """As Snakemake's: a number, or all."""
    return None if text == "all" else int(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", type=Path, required=True, help="the configuration")
    parser.add_argument(
        "--cores",
        type=_cores,
        help="at a time; all of the machine's if not given",
    )
    parser.add_argument("--gpus", type=int, default=1, help="at a time")
    main(run, parser)
