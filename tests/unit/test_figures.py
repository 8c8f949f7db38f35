import itertools
import math
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from importlib import import_module

import descend
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.transforms import Affine2D
from scipy.optimize import minimize
from sklearn.svm import SVC

from largestep.common.errors import UserError
from largestep.common.fingerprint import closure
from largestep.configuration import grids, reading
from largestep.configuration.config import Config
from largestep.configuration.experiment import Experiment
from largestep.configuration.panels import PANELS
from largestep.report import colours, figures, inline_svg, style
from largestep.report.letters import letter
from largestep.report.panels import curves
from largestep.report.panels.curves import Scene
from largestep.results import tables
from largestep.stages import figure as stages
from largestep.theory import margin_limits

TABLES = ("trajectories", "runs", "neurons")
SEEDS = {"train": {"eta": [1, 30, 50], "seeds": [0, 1, 2], "steps": 300}}


def scene(description=descend.XOR, **halted) -> Scene:
    return Scene(*descend.trained(description, **halted))


@pytest.fixture(scope="module")
def several() -> Scene:
    """Three seeds; of eta = 50 one run diverges, of eta = 30 two freeze."""
    title = {"title": "A title that is long enough to be wrapped " * 3, "stand_in": "toys " * 30}
    return scene(
        descend.XOR | SEEDS | {"figure": title},
        diverge={(1, 200.0): 20},
        freeze={(0, 120.0): 90, (2, 120.0): 100},
    )


def axes(drawn: Scene, panel: str):
    with style.theme():
        ax = Figure().add_subplot()
        import_module(f"largestep.report.panels.{panel}").draw(ax, drawn)
    return ax


def lines_of(ax, colour, **looks):
    """Data of the lines of a colour, e.g. linestyle="--"; legend entries have no data."""
    return [
        line.get_xydata()
        for line in ax.lines
        if len(line.get_xdata())
        and line.get_color() == colour
        and all(getattr(line, f"get_{key}")() == value for key, value in looks.items())
    ]


def close(drawn, data):
    """Equal but for rounding."""
    return drawn.shape == data.shape and np.allclose(drawn, data, rtol=1e-9)


# Colours


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=30, unique=True))
def test_the_larger_the_stepsize_the_darker_in_whatever_order(stepsizes):
    found = colours.palette(stepsizes)
    assert found == colours.palette(sorted(stepsizes))
    grey = [np.dot(found[step], (0.299, 0.587, 0.114)) for step in sorted(stepsizes)]
    assert all(np.diff(grey) < 0)
    assert max(grey) < 0.72, "too light on white"


def test_no_stepsize_takes_no_colour():
    assert colours.palette(()) == {}


def test_neighbours_in_the_largest_legend_are_told_apart():
    shades = list(colours.palette(range(1, 10)).values())
    grey = [np.dot(c, (0.299, 0.587, 0.114)) for c in shades]
    assert min(abs(a - b) for a, b in itertools.pairwise(grey)) > 0.02
    for one, other in itertools.pairwise(colours._lab(np.array(shades))):
        assert np.linalg.norm(one - other) > 15, "just noticeable is about 2"


def test_stepsizes_in_common_have_one_colour_whatever_else_is_beside_them():
    train = {"seeds": [0], "steps": 2}
    config = reading.parse(
        {
            "name": "several",
            "experiments": {
                "a": descend.XOR | {"train": train | {"eta": [1, 5, 20]}},
                "b": descend.XOR | {"train": train | {"eta": [100, 5, 400]}},
                "c": descend.XOR | {"train": train | {"eta": [400, 800]}},
                "taken": descend.XOR | {"train": train | {"stepsize": [1, 5]}},
                "apart": descend.XOR | {"train": train | {"eta": [7, 9]}},
                "long": descend.XOR | {"train": train | {"eta": list(range(1, 60))}},
            },
        },
        "test",
    )
    joined = grids.joined(config)
    assert joined["a"] == joined["b"] == joined["c"] == [1, 5, 20, 100, 400, 800]
    assert joined["taken"] == [1, 5] and joined["apart"] == [7, 9]
    assert joined["long"] == list(range(1, 60))
    scenes = {name: scene(e.model_dump()) for name, e in config.experiments.items() if name in "ab"}
    palettes = [
        Scene(s.experiment, s.trajectories, s.runs, None, tuple(joined[n])).palette
        for n, s in scenes.items()
    ]
    assert palettes[0][20.0] == palettes[1][20.0] and len(set(palettes[1].values())) == 3


# Curves


def test_one_seed_is_drawn_row_by_row_with_its_mark():
    drawn = scene()
    ax = axes(drawn, "loss")
    for stepsize, run in drawn.runs.set_index("stepsize").iterrows():
        rows = drawn.trajectories.query("stepsize == @stepsize and step > 0")
        colour, change = drawn.palette[stepsize], run["last_increase_step"]
        (line,) = lines_of(ax, colour, linewidth=curves.WIDTH, marker="None")
        assert close(line, rows[["step", "loss"]].to_numpy())
        after = rows[rows["step"] >= change][["step", "loss"]].to_numpy()
        dots = lines_of(ax, colour, marker=curves.CHANGE["marker"])
        assert close(dots[0], after[:1]) if change else not dots
    assert set(drawn.runs["last_increase_step"] > 0) == {True, False}


def test_several_seeds_are_a_median_in_the_range_of_those_that_did_not_diverge(several):
    ax = axes(several, "normalized_margin")
    diverged = several.runs.query("status == 'diverged'")[["stepsize", "seed"]]
    rows = several.trajectories.query("step > 0").merge(diverged, how="left", indicator=True)
    rows = rows[rows["_merge"] == "left_only"].rename(columns={"normalized_margin": "value"})
    bands = np.vstack([path.vertices for band in ax.collections for path in band.get_paths()])
    for stepsize, part in rows.groupby("stepsize"):
        found = part.groupby("step")["value"].agg(["median", "min", "max"])
        lines = lines_of(ax, several.palette[stepsize], linewidth=curves.WIDTH, marker="None")
        for points, wanted in (
            (np.vstack(lines), found["median"]),
            (bands, found["min"]),
            (bands, found["max"]),
        ):
            for point in wanted.items():
                assert np.isclose(points, point, rtol=1e-9).all(axis=1).any()


def test_a_diverged_run_ends_in_a_cross_and_does_not_move_the_axes(several):
    ax = axes(several, "scaled_loss")
    (cross,) = lines_of(ax, several.palette[200.0], marker=curves.DIVERGED["marker"])
    run = several.trajectories.query("stepsize == 200 and seed == 1").dropna(subset="loss")
    assert cross[0, 0] == run["step"].max()
    kept = [
        frame.query("stepsize != 200 or seed != 1")
        for frame in (several.trajectories, several.runs)
    ]
    alone = axes(Scene(several.experiment, *kept), "scaled_loss")
    assert ax.get_ylim() == alone.get_ylim()
    assert ax.get_ylim()[0] <= cross[0, 1] <= ax.get_ylim()[1]


def test_huge_values_of_a_diverged_run_leave_the_cross_in_view(several):
    rows = several.trajectories.copy()
    wild = (rows["stepsize"] == 200) & (rows["seed"] == 1)
    rows.loc[wild, ["loss", "normalized_margin"]] *= 1e200
    for panel in ("loss", "normalized_margin"):
        ax = axes(Scene(several.experiment, rows, several.runs), panel)
        (cross,) = lines_of(ax, several.palette[200.0], marker=curves.DIVERGED["marker"])
        assert ax.get_ylim()[0] <= cross[0, 1] <= ax.get_ylim()[1]


def test_most_seeds_frozen_is_a_dashed_stretch_from_their_median_step(several):
    ax = axes(several, "loss")
    assert several.events.loc[120.0, "frozen"] == 100
    (dashed,) = lines_of(ax, several.palette[120.0], linestyle="--")
    recorded = several.trajectories["step"].unique()
    ends = np.array([min(recorded[recorded >= 100]), 300])
    assert close(dashed[[0, -1], 0], ends)


# Panels


def test_every_panel_has_what_figures_ask_for():
    for name in PANELS:
        panel = import_module(f"largestep.report.panels.{name}")
        assert panel.TITLE and panel.CAPTION.endswith(".") and ":" not in panel.TITLE


def test_scaled_loss_is_flat_for_a_loss_like_one_over_eta_t():
    drawn = scene()
    rows = drawn.trajectories.assign(loss=lambda rows: 7 / (rows["eta"] * rows["step"]))
    ax = axes(Scene(drawn.experiment, rows, drawn.runs), "scaled_loss")
    heights = np.concatenate([line.get_ydata() for line in ax.lines])
    assert np.allclose(heights, 7)


def test_scaled_loss_takes_the_sum_of_stepsizes_that_change():
    drawn = scene()
    rows = drawn.trajectories.assign(time=lambda rows: rows["step"] ** 2)
    rows["loss"] = 7 * drawn.experiment.model.stepsize_per_eta / rows["time"]
    ax = axes(Scene(drawn.experiment, rows, drawn.runs), "scaled_loss")
    assert np.allclose(np.concatenate([line.get_ydata() for line in ax.lines]), 7)


def test_sharpness_is_drawn_where_it_is_known_with_the_edge_of_stability():
    drawn = scene()
    kept = drawn.trajectories["step"].isin([0, 1, 16, 64])
    rows = drawn.trajectories.assign(
        sharpness=np.where(kept, 4 / (1 + drawn.trajectories["step"]), np.nan)
    )
    ax = axes(Scene(drawn.experiment, rows, drawn.runs), "sharpness")
    assert any(set(line.get_ydata()) == {1} for line in ax.lines)
    for stepsize, colour in drawn.palette.items():
        points = np.unique(np.vstack(lines_of(ax, colour, marker="None")), axis=0)
        assert np.allclose(points, [(t, 2 * stepsize / (1 + t)) for t in (1, 16, 64)])


def test_gradient_flow_is_drawn_against_time_as_far_as_every_seed_gets():
    drawn = scene(descend.XOR | {"train": {"eta": [1, 30], "seeds": [0, 1], "steps": 300}})
    rows = drawn.trajectories
    time, factor = rows["step"] * rows["stepsize"], 1 + 2.0 * rows["seed"]
    end = np.where(rows["seed"] == 1, 500, 10**5)
    rows = rows.assign(flow_loss=(factor / (1 + time)).where(time <= end))
    ax = axes(Scene(drawn.experiment, rows, drawn.runs), "flow")
    (limit,) = (line for line in ax.lines if line.get_label() == "gradient flow")
    expected = np.unique(time[(time > 0) & (time <= 500)])
    np.testing.assert_allclose(limit.get_xdata(), expected)
    np.testing.assert_allclose(limit.get_ydata(), 2 / (1 + expected))
    for stepsize, colour in drawn.palette.items():
        drawn_times = np.unique(np.concatenate(lines_of(ax, colour, marker="None"))[:, 0])
        own = rows["stepsize"] == stepsize
        assert close(drawn_times, np.unique(time[own & (time > 0)]))
    dots = np.vstack([data for c in drawn.palette.values() for data in lines_of(ax, c, marker="o")])
    change = drawn.runs.groupby("stepsize")["last_increase_step"].median()
    assert dots[0, 0] >= max(change * change.index) > 300, "marks are in time too"


def test_without_test_data_the_accuracy_says_so():
    ax = axes(scene(), "test_accuracy")
    assert not ax.lines and [text.get_text() for text in ax.texts] == ["no test data"]


def test_neurons_stay_negative_while_the_network_separates():
    drawn = scene(descend.FIVE_POINTS)
    ax = axes(drawn, "neuron_margins")
    curves_of_neurons = [line.get_ydata() for line in ax.lines if len(line.get_xdata()) > 2]
    assert len(curves_of_neurons) == 2 and np.concatenate(curves_of_neurons).max() < 0
    (separation,) = drawn.runs["separation_step"]
    assert any(set(line.get_xdata()) == {separation} for line in ax.lines)


def test_margins_far_below_zero_are_cut_off():
    drawn = scene(descend.FIVE_POINTS)
    bottom, top = axes(drawn, "normalized_margin").get_ylim()
    assert drawn.trajectories["normalized_margin"].min() < -1 < bottom < 0 < 0.05 < top


def test_a_margin_that_turns_positive_just_before_the_end_is_shown_coming():
    drawn = scene(descend.FIVE_POINTS)
    margins = drawn.trajectories["normalized_margin"]
    last = drawn.trajectories["step"] == drawn.trajectories["step"].max()
    late = drawn.trajectories.assign(normalized_margin=margins.clip(upper=-1e-3).mask(last, 0.1))
    bottom, top = axes(replace(drawn, trajectories=late), "normalized_margin").get_ylim()
    assert bottom < late["normalized_margin"].min() < 0.1 < top


# References


def test_limits_of_figure_4():
    experiment = Experiment.model_validate(descend.FIVE_POINTS)
    X, y = experiment.dataset.points()
    linear, along, best = (
        line.value for line in margin_limits.normalized_margin(experiment.dataset, experiment.model)
    )
    Z = y[:, None] * X
    # Samples and their mirror images: the hard-margin solution passes through the origin.
    machine = SVC(kernel="linear", C=1e8, tol=1e-8)
    machine.fit(np.vstack([Z, -Z]), np.repeat([1, -1], len(Z)))
    assert linear == pytest.approx(0.05, rel=1e-9)
    assert linear == pytest.approx(1 / np.linalg.norm(machine.coef_), rel=1e-4)
    assert along == pytest.approx(0.75 * 0.05 / np.sqrt(2), rel=1e-9)
    assert along < best == pytest.approx(0.028, abs=2e-4)


def test_no_direction_beats_the_best_and_a_search_finds_it():
    X, y = Experiment.model_validate(descend.FIVE_POINTS).dataset.points()
    head, leak = np.array([0.5, -0.5]), 0.5
    best = margin_limits.largest_margin(head, leak, X, y)

    def outputs(w):
        Z = X @ w.reshape(2, 3).T
        return y * (np.where(Z > 0, Z, leak * Z) @ head)

    limits = [
        {"type": "ineq", "fun": lambda v: outputs(v[:6]) - v[6]},
        {"type": "ineq", "fun": lambda v: 1 - v[:6] @ v[:6]},
    ]
    found = []
    for start in np.random.default_rng(0).standard_normal((30, 7)):
        end = minimize(lambda v: -v[6], start, constraints=limits, method="SLSQP").x[:6]
        assert (outputs(end) / np.linalg.norm(end)).min() <= best * (1 + 1e-9)
        found.append(margin_limits.homogeneous_margin(end.reshape(2, 3), head, leak, X, y))
    assert max(found) > 0.999 * best


def test_references_are_for_two_layer_nets_on_their_data_only():
    network = {"kind": "mlp", "widths": [4], "activation": {"name": "gelu"}}
    other = {"model": network, "train": {"stepsize": [1.0], "seeds": [0], "steps": 1}}
    mlp = {"dataset": {"source": "five_points"}} | other
    for description in (mlp, descend.XOR):
        other = Experiment.model_validate(description)
        assert not margin_limits.normalized_margin(other.dataset, other.model)


# Whole figures


@pytest.fixture(scope="module")
def figure_of_several(several) -> Figure:
    with style.theme():
        return figures.draw(several).figure


def test_nothing_is_cut_off_and_legends_cover_no_panel(figure_of_several):
    with style.theme():
        short = figures.draw(scene(descend.FIVE_POINTS)).figure
    for figure in (figure_of_several, short):
        with style.theme():
            figure.draw_without_rendering()
            assert min(ax.bbox.height for ax in figure.axes) > figure.dpi, "an inch at least"
            panels = [ax.get_tightbbox() for ax in figure.axes]
            legends = [legend.get_window_extent() for legend in figure.legends]
            titles = [text.get_window_extent() for text in figure.texts]
        whole = figure.bbox.padded(1)
        for box in (*panels, *legends, *titles):
            assert whole.contains(*box.min) and whole.contains(*box.max)
        for first, second in itertools.combinations([*panels, *legends, *titles], 2):
            assert not first.padded(-2).overlaps(second.padded(-2))


def test_the_legend_stands_in_a_place_that_the_panels_leave_free():
    panels = ["loss", "scaled_loss", "normalized_margin", "neuron_margins", "theory_norm"]

    def drawn(names):
        given = scene(descend.FIVE_POINTS | {"figure": {"panels": names}})
        runs = given.runs.astype({"stable_phase_step": float})
        return figures.draw(replace(given, runs=runs)).figure

    with style.theme():
        five, six = drawn(panels), drawn([*panels, "theory_direction"])
        five.draw_without_rendering()
        (legend,) = five.legends
        box, free = legend.get_window_extent(), five.axes[-1]
        others = [ax.get_tightbbox() for ax in five.axes[:5]]
    assert five.get_figwidth() < six.get_figwidth() - 0.5
    assert free.bbox.x0 - 2 <= box.x0 and box.y0 >= free.bbox.y0 - 2
    assert not any(box.padded(-1).overlaps(panel.padded(-1)) for panel in others)
    assert five.bbox.contains(*box.max)


def test_legend_names_the_largest_first_and_what_became_of_runs(figure_of_several):
    (legend,) = figure_of_several.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "50 (1 of 3 diverged)",
        "30 (2 of 3 frozen)",
        "1",
    ]


def test_the_last_line_says_what_is_shown(figure_of_several):
    texts = {text.get_text() for text in figure_of_several.texts}
    marks = {"last increase of the loss", "diverged", "Dashed: frozen by rounding."}
    assert marks | {"Median and range across 3 seeds."} <= texts
    with style.theme():
        plain = figures.draw(scene())
    assert "One seed." in {text.get_text() for text in plain.figure.texts}
    assert not {"diverged", "Dashed: frozen by rounding."} & {
        text.get_text() for text in plain.figure.texts
    }
    assert plain.captions.splitlines()[-1] == "Shown: One seed. ● last increase of the loss."


def test_panels_have_letters_and_end_at_the_same_step(figure_of_several):
    titles = [ax.get_title(loc="left") for ax in figure_of_several.axes]
    assert [title[:4] for title in titles] == ["(a) ", "(b) ", "(c) "]
    assert {ax.get_xlim() for ax in figure_of_several.axes} == {(1, 300)}


def test_letters_go_on_after_z():
    assert [letter(k) for k in (0, 25, 26, 51, 52)] == ["a", "z", "aa", "az", "ba"]


def test_boxes_hold_all_that_a_panel_draws(several):
    with style.theme():
        figure, _, boxes = figures.draw(several)
        lines = [line.split() for line in boxes.splitlines()]
        assert [name for name, *_ in lines] == ["panel-a", "panel-b", "panel-c", "legend"]
        height = figure.get_figheight() * 72
        for ax, (_, *box) in zip(figure.axes, lines, strict=False):
            x, y, wide, high = map(float, box)
            inside = ax.get_tightbbox().transformed(Affine2D().scale(72 / figure.dpi))
            assert x <= inside.x0 and inside.x1 <= x + wide
            assert height - y - high <= inside.y0 and inside.y1 <= height - y


def test_policies_without_a_stepsize_have_curves_of_their_own():
    drawn = scene()
    trajectories, runs = (
        frame.assign(
            policy=np.where(frame["stepsize"] == 4, "armijo", "constant"),
            stepsize=frame["stepsize"].where(frame["stepsize"] != 4),
        )
        for frame in (drawn.trajectories, drawn.runs)
    )
    mixed = Scene(drawn.experiment, trajectories, runs)
    (line,) = lines_of(axes(mixed, "loss"), mixed.palette["armijo"], marker="None")
    expected = drawn.trajectories.query("stepsize == 4 and step > 0")[["step", "loss"]]
    assert close(line, expected.to_numpy())
    with style.theme():
        names = figures.draw(mixed).figure.legends[0].get_texts()
    assert [text.get_text() for text in names] == ["30", "1", "armijo"]


def test_a_long_grid_shows_some_of_its_stepsizes_with_both_ends():
    grid = list(range(1, 31))
    train = {"eta": grid, "seeds": [0], "steps": 4}
    with style.theme():
        legend = figures.draw(scene(descend.XOR | {"train": train})).figure.legends[0]
    names = [int(text.get_text()) for text in legend.get_texts()]
    assert names[0] == 30 and names[-1] == 1 and sorted(names, reverse=True) == names
    assert "9 of 30 shown" in legend.get_title().get_text()


def test_a_figure_of_diverged_runs_alone_can_be_drawn():
    drawn = scene(diverge={(0, 4.0): 1, (0, 120.0): 30})
    with style.theme():
        entries = figures.draw(drawn).figure.legends[0].get_texts()
    assert [text.get_text() for text in entries] == ["30 (diverged)", "1 (diverged)"]


def test_a_figure_depends_on_the_code_of_its_own_panels_alone():
    ours, _ = closure("largestep.stages.figure")
    assert "largestep.report.panels.curves" in ours
    assert not {f"largestep.report.panels.{panel}" for panel in PANELS} & ours


# Several experiments side by side


VARIANTS = {
    "name": "side_by_side",
    "experiments": {
        "base": descend.XOR,
        "wide": {"variant_of": "base", "model": {"width": 6}},
        "small": {"variant_of": "base", "model": {"scale": 0.1}},
    },
    "comparisons": {
        "all": {
            "experiments": {"small": "small weights", "base": "as it was", "wide": "width 6"},
            "panels": ["loss", "normalized_margin"],
            "title": "One choice changed",
        }
    },
}


def test_a_comparison_shows_every_experiment_in_every_panel_on_equal_axes():
    config = reading.parse(VARIANTS, "test")
    names = config.comparisons["all"].experiments
    scenes = [scene(config.experiments[name].model_dump(exclude={"variant_of"})) for name in names]
    with style.theme():
        drawn = figures.compare(config.comparisons["all"], scenes).figure
    shown = [ax for ax in drawn.axes if ax.axison]
    titles = [f"({letter(k)}) {name}" for k, name in enumerate([*names.values()] * 2)]
    assert [ax.get_title(loc="left") for ax in shown] == titles
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in shown), "the page shows each apart"
    for row, quantity in ((shown[:3], "loss"), (shown[3:], "normalized_margin")):
        assert len({ax.get_ylim() for ax in row}) == 1
        for ax, own in zip(row, scenes, strict=True):
            values = own.trajectories.loc[own.trajectories["stepsize"] == max(own.palette)]
            lines = lines_of(ax, own.palette[max(own.palette)])
            last = values[["step", quantity]].to_numpy()[-1]
            assert any(np.allclose(line[-1], last) for line in lines)
    assert [text.get_text() for text in drawn.legends[0].get_texts()][:2] == ["30", "1"]
    assert r"\tilde{\eta} = m\,\eta" in drawn.legends[0].get_title().get_text()


def test_margins_are_cut_and_scaled_for_all_experiments_of_a_comparison_together():
    config = reading.parse(VARIANTS, "test")
    comparison = config.comparisons["all"].model_copy(
        update={
            "experiments": {"a": "separates", "b": "never does"},
            "panels": ["normalized_margin"],
        }
    )
    separates, never = scene(), scene(diverge={(0, 120.0): 20})
    separates.trajectories["normalized_margin"] *= 1e-3
    never.trajectories["normalized_margin"] = -0.5
    with style.theme():
        drawn = figures.compare(comparison, [separates, never]).figure
    highest = separates.trajectories["normalized_margin"].max()
    assert [line.get_marker() for line in drawn.axes[1].lines].count("x") == 1
    assert ["all below" in {text.get_text() for text in ax.texts} for ax in drawn.axes] == [0, 1]
    for ax in drawn.axes:
        low, high = ax.get_ylim()
        assert 0 < highest < high < 1.2 * highest and -0.5 * highest < low < 0
        formatted = ax.yaxis.get_major_formatter()(high, 0)
        assert 1 <= float(formatted) < 10
        for cross in (line for line in ax.lines if line.get_marker() == "x"):
            assert low <= cross.get_ydata()[0] <= high
        exponents = [text.get_text() for text in ax.texts if "times" in text.get_text()]
        assert exponents == [rf"$\times 10^{{{math.floor(math.log10(high))}}}$"]


def test_a_comparison_of_six_has_two_rows_for_each_panel():
    config = reading.parse(VARIANTS, "test")
    one = scene()
    comparison = config.comparisons["all"].model_copy(
        update={"experiments": {f"e{i}": f"number {i}" for i in range(6)}}
    )
    with style.theme():
        drawn = figures.compare(comparison, [one] * 6).figure
    assert len(drawn.axes) == 16 and sum(ax.axison for ax in drawn.axes) == 12


# The stage


def options(folder, experiment, name="here") -> dict[str, str]:
    files = {kind: folder / f"f.{kind}" for kind in ("svg", "pdf", "png")}
    rows, runs, neurons = (folder / f"{table}.parquet" for table in TABLES)
    files |= {"trajectories": [rows], "runs": runs, "neurons": [neurons]}
    config = Config(name="f", experiments={name: experiment})
    return {"figure": name, "spec": reading.to_json(config), "among": "{}"} | files


def written(folder, description):
    """Trains, and writes the tables to `folder`."""
    experiment, *frames = descend.trained(description)
    schemas = (tables.TRAJECTORIES, tables.RUNS, tables.NEURONS)
    for name, schema, frame in zip(TABLES, schemas, frames, strict=True):
        tables.write(frame, schema, folder / f"{name}.parquet")
    return experiment


def test_stage_writes_in_another_process_the_bytes_that_are_drawn_here(tmp_path):
    words = {"title": "Margins <of> XOR", "stand_in": "a toy"}
    experiment = written(tmp_path, descend.XOR | {"figure": words})
    given = [
        word
        for option, value in options(tmp_path, experiment).items()
        for word in (f"--{option}", *map(str, value if isinstance(value, list) else [value]))
    ]
    command = [sys.executable, "-m", "largestep.stages.figure", *given]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    paths = [tmp_path / f"f.{kind}" for kind in ("svg", "pdf", "png")]
    written_there = [path.read_bytes() for path in paths]
    stages.run(Namespace(**options(tmp_path, experiment)))
    assert [path.read_bytes() for path in paths] == written_there
    assert min(map(len, written_there)) > 10_000
    svg = written_there[0].decode()
    assert "Margins &lt;of&gt; XOR" in svg and "Normalized margin: " in svg
    panels = inline_svg.panels(written_there[0], "here")
    assert [panel.letter for panel in panels] == ["a", "b", "c", ""]


def test_stage_names_the_table_that_lacks_the_experiment(tmp_path):
    experiment = written(tmp_path, descend.XOR)
    with pytest.raises(UserError, match=r"trajectories\.parquet: has no rows of experiment other"):
        stages.run(Namespace(**options(tmp_path, experiment, name="other")))
    assert not list(tmp_path.glob("f.*"))
