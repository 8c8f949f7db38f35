"""Every claim must hold on a trajectory that satisfies it, and fail on one that barely does not."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from constructed import STEPS, build, experiment, samples

from largestep.claims import activations, transition
from largestep.claims.ledger import CLAIMS
from largestep.claims.verdicts import Verdict
from largestep.configuration.experiment import Flow
from largestep.method.activations import ALL
from largestep.method.activations.constants import Constants
from largestep.theory import bounds, thresholds
from largestep.theory.hard_margin import hard_margin

CLAIM = {claim.id: claim for claim in CLAIMS}
CASES = {}

#: On XOR, in the stable phase from step 1700 or so on.
XOR = experiment("xor", [0.5])


def case(claim: str):
    """A function broken -> study: just inside the claim's bound, or just beyond it."""

    def register(function):
        CASES[claim] = function
        return function

    return register


def verdicts(claim: str, study) -> set[Verdict]:
    return {finding.verdict for finding in CLAIM[claim].check(study)}


@pytest.mark.parametrize("claim", [claim.id for claim in CLAIMS if claim.about_runs])
def test_a_claim_holds_and_can_be_violated_by_a_little(claim):
    inside, beyond = CASES[claim](False), CASES[claim](True)
    assert verdicts(claim, inside) == {Verdict.HOLDS}
    assert Verdict.VIOLATED in verdicts(claim, beyond)


def test_ideal_trajectories_violate_nothing():
    for study in (build(XOR), build(experiment("margin", [64.0, 256.0]))):
        for claim in CLAIMS:
            if claim.about_runs and claim.reads(study.experiment):
                assert Verdict.VIOLATED not in verdicts(claim.id, study), claim.id


def fact(name: str, inside, beyond, of=XOR):
    """The case of a claim that reads one column of runs.parquet."""

    def make(broken):
        def change(facts, columns):
            value = beyond if broken else inside
            facts[name] = value(facts) if callable(value) else value

        return build(of, change)

    return make


def scaled(name: str, inside: float, beyond: float, of=XOR):
    """The case of a claim that reads one column of trajectories.parquet."""

    def make(broken):
        def change(facts, columns):
            columns[name] = columns[name] * (beyond if broken else inside)

        return build(of, change)

    return make


# Two phases


case("two-phases")(
    fact(
        "last_increase_step",
        lambda facts: facts["stable_phase_step"],
        lambda facts: facts["stable_phase_step"] + 1,
    )
)


@case("small-stepsize-monotone")
def small_stepsize(broken):
    f = thresholds.smoothness(XOR.model, samples(XOR).X)
    eta = 2 / (f.rho2 / 4 + f.beta) / XOR.model.m
    return fact("increases", 0, 1, experiment("xor", [eta * 0.999]))(broken)


@pytest.mark.parametrize(
    ("stepsizes", "rises", "expected"),
    [
        ([0.01, 0.2], {0.2: 3}, {Verdict.HOLDS}),
        ([0.01, 0.2], {0.2: 3, 0.01: 1}, {Verdict.VIOLATED}),
        ([0.011, 0.2], {0.2: 3, 0.011: 1}, set()),  # not a twentieth
        ([0.01, 0.2], {}, set()),  # nothing oscillates
    ],
)
def test_small_stepsizes_of_an_mlp(stepsizes, rises, expected):
    def change(facts, columns):
        facts["increases"] = rises.get(facts["stepsize"], 0)

    assert verdicts("small-stepsize-monotone", build(experiment("digits", stepsizes), change)) == (
        expected
    )


@pytest.mark.parametrize(
    ("spike", "last_rise", "expected"),
    [
        (None, 100, {Verdict.VIOLATED}),  # it rose after a calm octave
        (2**13, 2**13, {Verdict.VIOLATED}),
        (300, 300, {Verdict.HOLDS}),
    ],
)
def test_two_phases_of_an_mlp_are_seen_in_the_recorded_steps(spike, last_rise, expected):
    """Without a threshold the stable phase starts where an octave was calm."""

    def change(facts, columns):
        facts["last_increase_step"], facts["increases"] = last_rise, 1
        if spike == 300:  # misjudged samples, and no calm octave, until then
            columns["margin"] = np.where(columns["step"] < 300, -1.0, columns["margin"])

    assert verdicts("two-phases", build(experiment("digits", [0.2]), change)) == expected


def test_an_mlp_that_never_calms_down_is_undecided():
    def change(facts, columns):
        facts["last_increase_step"], facts["increases"] = STEPS, 9
        columns["margin"] = -columns["margin"]

    study = build(experiment("digits", [0.2]), change)
    assert verdicts("two-phases", study) == {Verdict.INCONCLUSIVE}


@case("larger-stepsize-lower-loss")
def larger_stepsize(broken):
    def change(facts, columns):
        if facts["stepsize"] == 100.0:
            columns["loss"] = columns["loss"] * 2 * (1.001 if broken else 0.999)

    return build(experiment("xor", [5.0, 10.0]), change)


def test_seeds_that_differ_leave_the_order_of_losses_open():
    def change(facts, columns):
        if facts["stepsize"] == 100.0:
            columns["loss"] = columns["loss"] * 2 * (1.3 if facts["seed"] else 0.9)

    study = build(experiment("xor", [5.0, 10.0]), change, seeds=(0, 1))
    assert verdicts("larger-stepsize-lower-loss", study) == {Verdict.INCONCLUSIVE}


def test_a_catapult_of_the_smaller_stepsize_leaves_the_order_open():
    def change(facts, columns):
        if facts["stepsize"] == 50.0:
            columns["loss"] = columns["loss"] / 3

    study = build(experiment("xor", [5.0, 10.0]), change)
    assert verdicts("larger-stepsize-lower-loss", study) == {Verdict.INCONCLUSIVE}


@case("larger-stepsize-higher-test-accuracy")
def test_accuracy(broken, noise=1e-5, seeds=(0, 1, 2)):
    def change(facts, columns):
        gap = (-1e-4 if broken else 1e-4) + noise * (facts["seed"] - 1)
        if facts["stepsize"] == 0.2:
            columns["test_accuracy"] = columns["test_accuracy"] + gap

    return build(experiment("digits", [0.01, 0.2]), change, seeds=seeds)


test_accuracy.__test__ = False


@pytest.mark.parametrize(("noise", "seeds"), [(1e-3, (0, 1, 2)), (0.0, (0,))])
def test_accuracies_inside_seed_noise_decide_nothing(noise, seeds):
    study = test_accuracy(False, noise, seeds)
    found = list(CLAIM["larger-stepsize-higher-test-accuracy"].check(study))
    assert [finding.verdict for finding in found] == [Verdict.INCONCLUSIVE]
    assert "seeds" in found[0].note


def test_accuracy_is_compared_before_the_small_stepsize_has_fitted_its_data():
    """At convergence the gap may be anything."""

    def change(facts, columns):
        facts["separation_step"] = 1000 if facts["stepsize"] == 0.01 else 10
        facts["last_increase_step"] = 0 if facts["stepsize"] == 0.01 else 50
        if facts["stepsize"] == 0.2:
            outside = (columns["step"] > 1000) | (columns["step"] <= 50)
            columns["test_accuracy"] = np.where(outside, 0.1, 0.95 + 1e-5 * facts["seed"])

    study = build(experiment("digits", [0.01, 0.2]), change, seeds=(0, 1, 2))
    assert verdicts("larger-stepsize-higher-test-accuracy", study) == {Verdict.HOLDS}


# Figure 4


FIVE_POINTS = experiment(
    "five_points",
    [1.5],
    model__output_weights=[0.5, -0.5],
    model__width=2,
    train__record={"neurons": True},
)


@case("fig4-neurons")
def neurons(broken):
    step = np.tile([0, 1, STEPS], 2)
    margin = np.array([np.nan, -0.5, -0.1, np.nan, -0.4, 1e-9 if broken else -1e-9])
    stepsize = FIVE_POINTS.stepsizes[0]
    table = {"seed": 0, "stepsize": stepsize, "step": step, "neuron_margin": margin}
    return build(FIVE_POINTS, neurons=pd.DataFrame(table))


@case("fig4-network")
def network(broken):
    def change(facts, columns):
        columns["normalized_margin"][0] = -0.1
        columns["normalized_margin"][-1] = -1e-9 if broken else 1e-9

    return build(FIVE_POINTS, change)


# Theorem 2.2, step by step


MARGIN_SET = experiment("margin", [64.0])


@case("thm22-threshold")
def threshold(broken):
    data = samples(MARGIN_SET)
    net = bounds.separable(MARGIN_SET.model, data.X, hard_margin(data.X, data.y)[0])

    def change(facts, columns):
        start, level = columns["param_norm"][0], facts["stable_threshold"]
        latest = bounds.transition_step(net, facts["stepsize"], start, level)
        facts["stable_phase_step"] = latest + broken

    return build(MARGIN_SET, change)


def test_a_threshold_not_reached_says_how_many_steps_it_would_take():
    study = build(experiment("xor", [0.04]))
    assert study.runs[0].stable_step > STEPS

    def change(facts, columns):
        facts["stable_phase_step"] = None

    (finding,) = CLAIM["thm22-threshold"].check(build(experiment("xor", [0.04]), change))
    assert finding.verdict is Verdict.INCONCLUSIVE
    needed = int(finding.note.split("about ")[1].split(" steps")[0].replace(",", ""))
    assert needed == pytest.approx(study.runs[0].stable_step, rel=0.01)


case("thm22-loss-falls")(fact("largest_loss_rise", -1e-9, 1e-9))
case("thm22-descent")(fact("smallest_descent_ratio", 0.5 + 1e-6, 0.5 - 1e-6))
case("thm22-norm-grows")(fact("smallest_norm_growth", 1e-9, -1e-9))


@pytest.mark.parametrize(
    ("claim", "name", "value"),
    [
        ("thm22-loss-falls", "largest_loss_rise", 1e-14),
        ("thm22-loss-falls", "largest_loss_rise", -1e-14),
        ("thm22-norm-grows", "smallest_norm_growth", -1e-16),
    ],
)
def test_what_rounding_can_make_decides_nothing(claim, name, value):
    assert verdicts(claim, fact(name, value, None)(False)) == {Verdict.INCONCLUSIVE}


def test_descent_is_undecided_where_falls_are_below_rounding():
    def change(facts, columns):
        columns["grad_norm"] = columns["grad_norm"] * 1e-6
        facts["smallest_descent_ratio"] = -3.0

    assert verdicts("thm22-descent", build(XOR, change)) == {Verdict.INCONCLUSIVE}


@case("thm22-margin-positive")
def margin_positive(broken):
    def change(facts, columns):
        columns["normalized_margin"][-1] = -1e-9 if broken else 1e-9
        columns["normalized_margin"][0] = -1.0  # before the stable phase

    return build(XOR, change)


def drawdown(claim: str, name: str, size):
    """Fall by the bound that a first check reports, give or take a millionth."""

    def make(broken):
        study = build(XOR)
        (finding,) = CLAIM[claim].check(study)
        scale = size(study)
        allowed = finding.bound * scale * (1 + (1e-6 if broken else -1e-6))
        return fact(name, allowed, allowed)(broken)

    return make


def largest_smooth_margin(kappa: bool):
    def size(study):
        rows = study.runs[0].stable
        less = study.smoothness.kappa if kappa else 0
        return ((-np.log(study.n * rows["loss"]) - less) / rows["param_norm"]).max()

    return size


case("thm22-gamma-a")(drawdown("thm22-gamma-a", "gamma_a_drawdown", largest_smooth_margin(False)))
case("thm22-gamma-b")(drawdown("thm22-gamma-b", "gamma_b_drawdown", largest_smooth_margin(True)))
case("thm22-margin-nearly-grows")(
    drawdown("thm22-margin-nearly-grows", "normalized_margin_drawdown", lambda study: 1)
)


def test_a_run_that_starts_at_zero_weights_has_finite_bounds():
    def change(facts, columns):
        columns["param_norm"][0] = 0.0
        columns["normalized_margin"][0] = np.nan

    study = build(XOR, change)
    for claim in ("thm22-margin-nearly-grows", "thm22-gamma-a", "thm22-gamma-b"):
        (finding,) = CLAIM[claim].check(study)
        assert finding.verdict is Verdict.HOLDS
        assert 0 <= finding.bound < 1


# Theorem 2.2, limits


@case("thm22-loss-bracket")
def loss_bracket(broken):
    f = thresholds.smoothness(XOR.model, samples(XOR).X)

    def change(facts, columns):
        s = facts["stable_phase_step"]
        after = np.maximum(columns["step"] - s, 0)
        inverse = 1 / np.interp(s, columns["step"], columns["loss"])
        growth = 2 * facts["stepsize"] * f.rho2 * (1.01 if broken else 0.99)
        late = columns["step"] >= s
        columns["loss"] = np.where(late, 1 / (inverse + growth * after), columns["loss"])

    return build(XOR, change)


def test_a_loss_that_falls_too_slowly_violates_the_lower_line():
    def change(facts, columns):
        late = columns["step"] >= facts["stable_phase_step"]
        level = columns["loss"][late][0]
        fallen = level * (columns["step"][late] / facts["stable_phase_step"]) ** -0.05
        columns["loss"][late] = fallen

    assert verdicts("thm22-loss-bracket", build(XOR, change)) == {Verdict.VIOLATED}


#: The stable phase starts at step 170 or so and doubles the weights.
LONG = experiment("xor", [5.0])
NEAR, FAR = 0.97 / math.log(STEPS), 1.03 / math.log(STEPS)


def test_the_long_run_is_long_enough_to_violate_a_trend():
    run = build(LONG).runs[0]
    norm = run.stable["param_norm"]
    assert norm.iloc[-1] > 2 * norm.iloc[0]
    assert run.last_step > 16 * run.stable_step


@case("thm22-loss-rate")
def loss_rate(broken):
    def change(facts, columns):
        slope = -1 - (FAR if broken else NEAR)
        columns["loss"] = columns["loss"][-1] * ((columns["step"] + 1) / (STEPS + 1)) ** slope

    return build(LONG, change)


case("thm22-norm-rate")(scaled("normalized_margin", 1 + NEAR, 1 + FAR, LONG))
case("asymptotic-constant")(scaled("loss", 1 + NEAR, 1 + FAR * 1.01, LONG))
case("alignment")(scaled("grad_norm", math.sqrt(1 + NEAR), math.sqrt(1 + FAR), LONG))


@case("thm22-direction")
def direction(broken):
    def change(facts, columns):
        angle = (1.03 if broken else 0.97) / math.log(STEPS) ** 2
        columns["cosine_to_half"] = np.where(
            np.isnan(columns["cosine_to_half"]), np.nan, math.cos(angle)
        )

    return build(LONG, change)


@pytest.mark.parametrize(
    ("pace", "expected"), [(1.0, Verdict.HOLDS), (0.55, Verdict.HOLDS), (0.1, Verdict.VIOLATED)]
)
def test_a_distant_quantity_holds_if_it_approaches_like_the_logarithm(pace, expected):
    """A distance ~ 1/(log t)^pace, far from its limit still: at least half the pace is asked."""

    def change(facts, columns):
        distance = 4 / np.log2(columns["step"] + 2.0) ** pace
        columns["grad_norm"] = columns["grad_norm"] * np.sqrt(1 + distance)

    assert verdicts("alignment", build(LONG, change)) == {expected}


def test_a_limit_is_undecided_where_the_stable_phase_is_short():
    def far(facts, columns):
        columns["grad_norm"] = columns["grad_norm"] * 3

    (finding,) = CLAIM["alignment"].check(build(XOR, far))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "steps" in finding.note

    def late(facts, columns):
        facts["stable_phase_step"] = STEPS // 4 + 1

    (finding,) = CLAIM["alignment"].check(build(XOR, late))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert f"{8 * (STEPS // 4 + 1):,} steps" in finding.note


def test_a_limit_that_was_only_left_by_heavy_weights_is_undecided():
    """A catapult leaves ||w|| so large that the stable phase has hardly turned it."""

    def change(facts, columns):
        columns["grad_norm"] = columns["grad_norm"] * 3
        columns["param_norm"] = columns["param_norm"] + 1e6

    (finding,) = CLAIM["alignment"].check(build(LONG, change))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "more steps than fit a run" in finding.note


# Theorems 3.2 and 4.1


def at_bound(column: str, bound):
    """The running quantity at its bound, at one recorded step."""

    def make(broken):
        data = samples(MARGIN_SET)
        net = bounds.separable(MARGIN_SET.model, data.X, hard_margin(data.X, data.y)[0])

        def change(facts, columns):
            largest = bound(net, facts, columns) * (1 + (1e-9 if broken else -1e-9))
            columns[column][100] = largest[100]

        return build(MARGIN_SET, change)

    return make


def mean_loss_bound(net, facts, columns):
    start, steps = columns["param_norm"][0], np.maximum(columns["step"], 1)
    return bounds.mean_loss(net, facts["stepsize"], start, steps)


def mean_slope_bound(net, facts, columns):
    allowed = bounds.slope_sum(net, facts["stepsize"], columns["displacement"])
    return allowed / np.maximum(columns["step"], 1)


case("thm32-mean-loss")(at_bound("running_mean_loss", mean_loss_bound))
case("thm41-count")(at_bound("running_mean_slope", mean_slope_bound))


def transition_at(etas, steps):
    """The margin generator's runs with these transition steps."""
    of = experiment("margin", etas)

    def change(facts, columns):
        facts["stable_phase_step"] = steps(facts["eta"])

    return build(of, change)


@case("thm41-slope")
def slope(broken):
    exponent = -1.151 if broken else -1.149
    return transition_at([16.0, 32.0, 64.0], lambda eta: 2e5 * eta**exponent)


@case("thm41-plateau")
def plateau(broken):
    exponent = -0.501 if broken else -0.499
    return transition_at([250.0, 400.0], lambda eta: 2e5 * eta**exponent)


def test_the_branches_lie_where_the_threshold_changes():
    study = build(experiment("margin", [64.0]))
    assert transition.crossing(study) == pytest.approx(245.9, rel=1e-3)


def test_too_few_stable_stepsizes_leave_the_slope_open():
    steps = {16.0: None, 32.0: None, 64.0: 5000}
    study = transition_at(list(steps), steps.get)
    assert verdicts("thm41-slope", study) == {Verdict.INCONCLUSIVE}
    assert verdicts("thm41-slope", transition_at([64.0, 32.0], steps.get)) == set()


# Corollary 4.2 and the lower bound


def losses_after(exponent: float, horizons=range(8, 14)):
    """Losses after T steps that fall like T^exponent where eta is proportional to T."""
    etas = [0.05 * 2**k for k in horizons]

    def change(facts, columns):
        columns["loss"] = (facts["eta"] * np.maximum(columns["step"], 1)) ** (exponent / 2)

    return build(experiment("margin", etas), change)


@case("cor42-quadratic")
def quadratic(broken):
    return losses_after(-1.899 if broken else -1.901)


def test_only_horizons_beyond_the_transition_can_violate_the_corollary():
    study = losses_after(-1.5, range(5, 10))
    study = replace(study, runs=tuple(cut(run, 512) for run in study.runs))  # c2 n is 1045
    assert Verdict.INCONCLUSIVE in verdicts("cor42-quadratic", study)
    assert Verdict.VIOLATED not in verdicts("cor42-quadratic", study)


def cut(run, last):
    return replace(run, rows=run.rows.loc[:last])


def monotone_runs(exponent: float, largest_rises: int = 1):
    etas = [float(eta) for eta in range(1, 12)]

    def change(facts, columns):
        facts["increases"] = largest_rises if facts["eta"] == 11 else 0
        columns["loss"] = np.maximum(columns["step"], 1.0) ** exponent / facts["eta"]
        if facts["eta"] == 11:
            columns["loss"] = columns["loss"] ** 2  # an oscillating run may be as fast as it likes

    return build(experiment("margin", etas), change)


@case("monotone-lower-bound")
def lower_bound(broken):
    return monotone_runs(-1.101 if broken else -1.099)


def test_the_best_monotone_stepsize_must_be_inside_the_grid():
    assert verdicts("monotone-lower-bound", monotone_runs(-1.1, 0)) == {Verdict.INCONCLUSIVE}


# Sharpness


def sharp(ratio, of=LONG, **facts_changed):
    """lambda_max * stepsize / 2 as a function of the step."""

    def change(facts, columns):
        facts |= facts_changed
        columns["sharpness"] = 2 / facts["stepsize"] * ratio(columns["step"])

    return build(of, change)


@case("eos-unstable")
def unstable(broken):
    level = 0.999 if broken else 1.001
    return sharp(lambda step: np.full(len(step), level), last_increase_step=20, increases=9)


@case("eos-stable")
def stable(broken):
    return sharp(lambda step: np.where(step > 5000, 0.251 if broken else 0.249, 0.1))


@case("progressive-sharpening")
def sharpening(broken):
    return sharp(lambda step: np.where(step == 100, 1.01, 1.0) if not broken else 1 - step * 1e-9)


def test_without_sharpness_its_claims_do_not_apply():
    for claim in ("eos-unstable", "eos-stable", "progressive-sharpening"):
        assert verdicts(claim, build(XOR)) == {Verdict.NOT_APPLICABLE}


# Gradient flow


def near_flow(distance, etas=(0.1, 0.5, 1.0), rises=(), **settings):
    """Runs whose loss is by `distance(stepsize)` off the flow's, at most: at time 1000."""
    of = experiment("xor", etas)
    of = of.model_copy(update={"flow": Flow(**settings)})

    def change(facts, columns):
        facts["increases"] = int(facts["eta"] in rises)
        time = columns["step"] * facts["stepsize"]
        bump = np.exp(-(np.log((time + 1) / 1000) ** 2))
        columns["flow_loss"] = columns["loss"] * np.exp(-bump * distance(facts["stepsize"]))

    return build(of, change)


@case("flow-limit")
def flow_limit(broken):
    return near_flow(lambda stepsize: 1e-2 * stepsize ** (0.79 if broken else 0.81))


@pytest.mark.parametrize(
    ("power", "expected"),
    [(0, Verdict.VIOLATED), (0.5, Verdict.VIOLATED), (1, Verdict.HOLDS), (2, Verdict.VIOLATED)],
)
def test_the_order_at_which_the_flow_is_approached(power, expected):
    assert verdicts("flow-limit", near_flow(lambda stepsize: 1e-2 * stepsize**power)) == {expected}


def test_the_two_smallest_stepsizes_decide_unless_they_nearly_oscillate():
    def far(stepsize):  # from eta = 1 on
        return 1e-2 * stepsize * (100 if stepsize >= 10 else 1)

    assert verdicts("flow-limit", near_flow(far, (0.1, 0.5, 1.0, 2.0))) == {Verdict.HOLDS}
    assert verdicts("flow-limit", near_flow(far, (0.5, 1.0, 2.0))) == {Verdict.VIOLATED}
    rising = near_flow(far, (0.5, 1.0, 2.0), rises=(2.0,))
    assert verdicts("flow-limit", rising) == {Verdict.INCONCLUSIVE}


@pytest.mark.parametrize("rises", [(1.0,), (0.5, 1.0), (0.1, 0.5, 1.0)])
def test_too_few_small_stepsizes_leave_the_flow_open(rises):
    study = near_flow(lambda stepsize: 1e-2 * stepsize, rises=rises)
    assert verdicts("flow-limit", study) == {Verdict.INCONCLUSIVE}


def test_distances_within_the_error_of_the_flow_decide_nothing():
    for tolerance, expected in ((9e-6, Verdict.HOLDS), (1.1e-5, Verdict.INCONCLUSIVE)):
        study = near_flow(lambda stepsize: 1e-2 * stepsize, tolerance=tolerance)
        assert verdicts("flow-limit", study) == {expected}


def test_the_flow_is_compared_as_far_as_all_reach():
    """Beyond, one run may be as far off as it likes: here where the budget has ended the flow."""

    def change(facts, columns):
        time = columns["step"] * facts["stepsize"]
        off = 1e-2 * facts["stepsize"] * np.where(time > 2000, 1 / facts["stepsize"], 1)
        reached = 2000 if facts["eta"] == 0.1 else 10**5
        known = np.where(time <= reached, columns["loss"], np.nan)
        columns["flow_loss"] = known * np.exp(-off)

    of = experiment("xor", (0.1, 0.5, 1.0)).model_copy(update={"flow": Flow()})
    assert verdicts("flow-limit", build(of, change)) == {Verdict.HOLDS}


# Constants


@pytest.mark.parametrize("name", ["kappa", "lip", "alpha", "curvature"])
def test_constants_that_are_off_by_a_little_are_found(name):
    for kind in ALL:
        activation = kind.model_validate({"name": activations._name(kind)})
        right = activation.constants()
        wrong = Constants(**(vars(right) | {name: getattr(right, name) + 2e-6}))
        assert activations.deviation(activation, right).verdict is Verdict.HOLDS
        assert activations.deviation(activation, wrong).verdict is Verdict.VIOLATED


def test_all_eight_activations_are_judged():
    assert len(list(CLAIM["near-homogeneity"].judge())) == len(ALL) == 8


# What takes no part


def test_diverged_runs_and_frozen_stretches_take_no_part():
    """Everything goes wrong in them, and no verdict changes."""
    of = experiment("xor", [5.0, 200.0])

    def spoil(facts, columns):
        if facts["stepsize"] == of.stepsizes[0]:
            facts |= {"status": "diverged", "status_step": 10, "increases": 9}
            facts |= {"last_increase_step": STEPS, "largest_loss_rise": 7.0}
        else:
            facts |= {"status": "frozen", "status_step": 2**13}
            frozen = columns["step"] >= 2**13
            for name in ("loss", "normalized_margin", "grad_norm", "param_norm"):
                columns[name] = np.where(frozen, columns[name] * 1e3, columns[name])
            columns["normalized_margin"] = np.where(frozen, -1.0, columns["normalized_margin"])
            columns["moving_fraction"] = np.where(frozen, 0.0, 1.0)

    spoiled = build(of, spoil)
    assert [run.stepsize for run in spoiled.runs] == [of.stepsizes[1]]
    assert spoiled.runs[0].last_step < 2**13
    for claim in CLAIMS:
        if claim.about_runs and claim.reads(of):
            assert Verdict.VIOLATED not in verdicts(claim.id, spoiled), claim.id


def test_a_run_frozen_at_the_start_of_its_stable_phase_is_undecided():
    def change(facts, columns):
        facts |= {"status": "frozen", "status_step": 20, "stable_phase_step": 20}

    study = build(LONG, change)
    for claim in ("thm22-loss-falls", "thm22-gamma-b", "thm22-margin-positive", "alignment"):
        assert verdicts(claim, study) == {Verdict.INCONCLUSIVE}


def test_a_frozen_run_is_not_told_to_train_longer():
    def change(facts, columns):
        facts |= {"status": "frozen", "status_step": 600}

    (finding,) = CLAIM["alignment"].check(build(LONG, change))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "froze" in finding.note


# Hypotheses


@pytest.mark.parametrize(
    ("claim", "of", "reason"),
    [
        ("thm22-descent", experiment("digits", [0.2]), "MLP"),
        ("thm32-mean-loss", XOR, "not linearly separable"),
        (
            "thm41-count",
            experiment("margin", [64.0], model__activation={"name": "gelu"}),
            "alpha = inf phi' = -0.129",
        ),
        ("progressive-sharpening", MARGIN_SET, "linear model"),
    ],
)
def test_a_theorem_whose_hypothesis_fails_does_not_apply(claim, of, reason):
    (finding,) = CLAIM[claim].check(build(of))
    assert finding.verdict is Verdict.NOT_APPLICABLE
    assert reason in finding.note


def test_theorem_2_2_needs_no_leak():
    gelu = experiment("xor", [200.0], model__activation={"name": "gelu"})
    assert verdicts("thm22-descent", build(gelu)) == {Verdict.HOLDS}
