"""The benchmark's table and figures."""

from pathlib import Path

import matplotlib
import pandas as pd
import seaborn as sns

matplotlib.use("Agg")
import matplotlib.pyplot as plt

NAMES = {
    "engine": "this engine",
    "usual": "usual PyTorch loop",
    "functional": "torch.func",
    "numpy": "NumPy",
    "jax": "JAX scan + vmap",
}


def write(document: dict, folder: Path) -> None:
    entries = pd.DataFrame(document["engine"])
    entries["workload"] = [
        f"{e.workload}, {e.dtype}" if e.workload != "W2" else f"W2 n = {e.n}, {e.dtype}"
        for e in entries.itertuples()
    ]
    entries["variant"] = entries["variant"].map(NAMES)
    text = table(entries, document["machine"]) + curvature(document["curvature"])
    (folder / "engine.md").write_text(text)
    with sns.axes_style("whitegrid"):
        compare(entries, folder / "engine.svg")
        scale(pd.DataFrame(document["scaling"]), folder / "scaling.svg")


def table(entries: pd.DataFrame, machine: dict) -> str:
    lines = [
        f"{machine['processor']}; torch {machine['torch']}; one thread. Medians, with the range.",
        "",
        "| workload | variant | us per step and run | vs usual loop | vs JAX | of product rate |",
        "|---|---|---|---|---|---|",
    ]
    for e in entries.itertuples():
        low, high = (1e6 * value for value in e.spread)
        micro = f"{_plain(1e6 * e.seconds_per_step_and_run)} ({_plain(low)} to {_plain(high)})"
        jax = "" if pd.isna(e.times_faster_than_jax) else f"{e.times_faster_than_jax:.2f}x"
        rate = e.fraction_of_product_rate
        share = "" if pd.isna(rate) else f"{100 * rate:.0f}%"
        usual = f"{e.times_faster_than_usual:.3g}x"
        lines.append(f"| {e.workload} | {e.variant} | {micro} | {usual} | {jax} | {share} |")
    return "\n".join(lines) + "\n"


def curvature(entries: list[dict]) -> str:
    """The table of W6: times of this engine, and how many times longer the others take."""
    lines = ["", "| W6, float64 | what | this engine, ms | autograd twice | torch.func | JAX |"]
    lines.append("|---|---|---|---|---|---|")
    for workload in dict.fromkeys(entry["workload"] for entry in entries):
        own = {entry["variant"]: entry for entry in entries if entry["workload"] == workload}
        for key, what in (
            ("seconds_per_product", "a product with the Hessian"),
            ("seconds_per_sharpness", "the sharpness"),
        ):
            base = own["engine"][key]
            others = [
                f"{own[name][key] / base:.2f}x" if name in own else ""
                for name in ("usual", "functional", "jax")
            ]
            lines.append(f"| {workload} | {what} | {1e3 * base:.3g} | {' | '.join(others)} |")
    return "\n".join(lines) + "\n"


def _plain(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def compare(entries: pd.DataFrame, path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 3.5))
    x, style = "times_faster_than_usual", {"palette": "colorblind", "size": 9, "alpha": 0.8}
    sns.stripplot(entries, y="workload", x=x, hue="variant", jitter=False, ax=axes, **style)
    axes.set(xscale="log", xlabel="times faster than the usual PyTorch loop", ylabel="")
    axes.grid(axis="y")
    axes.legend(title="", fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def scale(entries: pd.DataFrame, path: Path) -> None:
    labels = {"runs": "runs R in one grid", "n": "samples n (8 runs)", "m": "neurons m (8 runs)"}
    figure, axes = plt.subplots(1, 4, figsize=(13, 3))
    for axis, ax in zip(labels, axes, strict=False):
        ax.sharey(axes[0])
        part = entries[entries["axis"] == axis]
        ax.loglog(part["value"], 1e6 * part["seconds_per_step_and_run"], "o-")
        ax.set(xlabel=labels[axis], ylabel="us per step and run")
    part = entries[entries["axis"] == "runs"]
    axes[-1].loglog(part["value"], part["peak_bytes"] / 2**20, "o-")
    axes[-1].set(xlabel=labels["runs"], ylabel="memory added, MiB")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
