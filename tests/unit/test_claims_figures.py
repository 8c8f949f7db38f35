"""The theory's panels draw what the claims judge."""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from constructed import LEAKY_SOFTPLUS, MARGIN, STEPS, experiment, frames, samples
from matplotlib.figure import Figure

from largestep.configuration.experiment import Experiment
from largestep.configuration.panels import PANELS
from largestep.report import style
from largestep.report.panels.curves import Scene
from largestep.theory import bounds, thresholds
from largestep.theory.hard_margin import hard_margin

THEORY = [name for name in PANELS if name.startswith("theory_")]


def scene(of, change=None, seeds=(0,)) -> Scene:
    trajectories, runs = (
        each.assign(descent="gradient", policy="constant") for each in frames(of, change, seeds)
    )
    runs = runs.astype({"stable_phase_step": float})
    return Scene(of, trajectories.reset_index(drop=True), runs)


def axes(panel: str, drawn: Scene):
    with style.theme():
        ax = Figure().add_subplot()
        import_module(f"largestep.report.panels.{panel}").draw(ax, drawn)
        ax.figure.draw_without_rendering()
    return ax


def curves_of(ax, drawn: Scene, **looks):
    colours = set(drawn.palette.values())
    return [
        line.get_xydata()
        for line in ax.lines
        if line.get_color() in colours
        and len(line.get_xdata()) > 2
        and all(getattr(line, f"get_{key}")() == value for key, value in looks.items())
    ]


@pytest.mark.parametrize("panel", THEORY)
@pytest.mark.parametrize("status", ["ok", "frozen", "diverged", "unstable"])
def test_every_panel_draws_whatever_became_of_the_runs(panel, status):
    def change(facts, columns):
        if status == "unstable":
            facts["stable_phase_step"] = None
        elif status != "ok":
            facts |= {"status": status, "status_step": 64}

    for of in (experiment("margin", [16.0, 64.0, 256.0]), experiment("xor", [5.0])):
        axes(panel, scene(of, change, seeds=(0, 1)))


@pytest.mark.parametrize("panel", THEORY)
def test_every_panel_can_be_asked_of_an_mlp(panel):
    mlp = {"kind": "mlp", "widths": [4], "activation": LEAKY_SOFTPLUS}
    train = {"stepsize": [0.1], "seeds": [0], "steps": STEPS}
    description = {"dataset": {"source": "xor"}, "model": mlp, "train": train}
    axes(panel, scene(Experiment.model_validate(description)))


def test_the_bound_on_the_mean_loss_is_drawn():
    of = experiment("margin", [64.0])
    drawn, data = scene(of), samples(of)
    net = bounds.separable(of.model, data.X, hard_margin(data.X, data.y)[0])
    start = drawn.trajectories["param_norm"].iloc[0]
    lines = [line for line in curves_of(axes("theory_mean_loss", drawn), drawn) if len(line) > 50]
    expected = bounds.mean_loss(net, of.stepsizes[0], start, lines[-1][:, 0])
    assert lines[-1][:, 1] == pytest.approx(expected)


def test_limits_are_drawn_from_the_stable_phase_on():
    of = experiment("xor", [5.0])
    drawn = scene(of)
    step, constant = curves_of(axes("theory_constant", drawn), drawn)[0].T
    assert step[0] >= drawn.runs["stable_phase_step"][0]
    assert constant == pytest.approx(step / (step + 1))
    step, smooth = curves_of(axes("theory_margin", drawn), drawn)[-1].T
    loss = drawn.trajectories.set_index("step")["loss"][step].to_numpy()
    kappa = thresholds.smoothness(of.model, samples(of).X).kappa
    norm = np.log1p(1 / (4 * loss)) / MARGIN
    assert smooth == pytest.approx((-np.log(4 * loss) - kappa) / norm)


def test_transition_steps_stand_against_eta():
    steps = {16.0: 20_000, 64.0: 5000, 256.0: 1270, 1024.0: None}

    def change(facts, columns):
        facts["stable_phase_step"] = steps[facts["eta"]]

    ax = axes("theory_transition", scene(experiment("margin", list(steps)), change))
    (marks,) = (line for line in ax.lines if line.get_marker() == "D")
    points = {tuple(point) for point in marks.get_xydata()}
    assert points == {(eta, step) for eta, step in steps.items() if step}


def test_the_lines_of_the_corollary_have_the_slopes_of_the_data():
    etas = [0.1 * 2**k for k in range(8, 14)] + [float(eta) for eta in range(1, 12)]

    def change(facts, columns):
        facts["increases"] = int(facts["eta"] > 11)
        columns["loss"] = 1 / np.maximum(columns["step"], 1) / facts["eta"]

    ax = axes("theory_horizon", scene(experiment("margin", sorted(etas)), change, seeds=(0, 1)))
    found = {line.get_label(): line.get_xydata() for line in ax.lines}
    proportional = [label for label in found if label.startswith(r"$\eta = ")]
    assert len(proportional) == 2
    for label in (*proportional, "best monotone"):
        T, loss = np.log(found[label]).T
        slope = -1 if label == "best monotone" else -2
        assert np.polyfit(T, loss, 1)[0] == pytest.approx(slope)


def test_rows_of_a_scene_need_not_be_in_order():
    of = experiment("margin", [64.0, 256.0])
    drawn = scene(of)
    shuffled = drawn.trajectories.sample(frac=1, random_state=0)
    for panel in ("theory_mean_loss", "theory_margin", "theory_constant"):
        first, second = (
            curves_of(axes(panel, each), each)
            for each in (drawn, Scene(of, shuffled, pd.DataFrame(drawn.runs)))
        )
        for a, b in zip(first, second, strict=True):
            assert a == pytest.approx(b)
