"""What claims make of special runs; what all of them do is in `test_claims_examples.py`."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from constructed import STEPS, build, experiment
from examples import fact, true
from examples_beyond import FLAVORS, POLICIES
from examples_bounds import losses_after, monotone_runs, power_of, transition_at
from examples_phases import IMAGES, gap, last_gap, pair
from examples_sharpness import near_flow
from true_runs import MARGIN as TRUE_MARGIN
from true_runs import XOR as TRUE_XOR

from largestep.claims import activations, horizon, transition, trend
from largestep.claims.claim import papers_method
from largestep.claims.evidence import Run
from largestep.claims.held_out import ahead
from largestep.claims.registered import CLAIMS
from largestep.claims.statistics import half_interval
from largestep.claims.verdicts import Verdict
from largestep.configuration.experiment import Flow
from largestep.method.activations import ALL, GELU
from largestep.method.activations.constants import Constants
from largestep.theory import bounds

CLAIM = {claim.id: claim for claim in CLAIMS}

#: On XOR, in the stable phase from step 1700 or so on.
XOR = experiment("xor", [0.5])


def verdicts(claim: str, study) -> set[Verdict]:
    return {finding.verdict for finding in CLAIM[claim].check(study)}


def test_ideal_trajectories_violate_nothing():
    for study in (build(XOR), build(experiment("margin", [64.0, 256.0]))):
        for claim in CLAIMS:
            if claim.about_runs and claim.reads(study.experiment):
                assert Verdict.VIOLATED not in verdicts(claim.id, study), claim.id


def test_true_runs_hold_what_is_proved_of_them():
    """Of gradient descent written out in numpy."""
    proved = [claim for claim in CLAIMS if claim.id.startswith(("thm22-", "thm32-", "thm41-"))]
    proved = [claim for claim in proved if claim.origin != "extension"]
    for of, study in ((TRUE_XOR, true(TRUE_XOR)), (TRUE_MARGIN, true(TRUE_MARGIN))):
        for claim in proved:
            found = verdicts(claim.id, study)
            assert Verdict.VIOLATED not in found, claim.id
            if of is TRUE_MARGIN and claim.id.startswith("thm41-"):
                assert found == {Verdict.HOLDS}, claim.id
    assert verdicts("thm22-modified-margin", true(TRUE_XOR)) == {Verdict.HOLDS}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "not at most 1"),  # five points are longer
        ({"model__width": 2, "model__output_weights": [0.5, -0.4]}, "output weights"),
        ({"model__activation": {"name": "leaky_gelu"}}, "sup |phi'|"),
    ],
)
def test_theorem_4_1_s_constants_need_the_paper_s_normalization(changes, reason):
    source = "margin" if changes else "five_points"
    of = experiment(source, [1.5], **changes)
    for claim in ("thm41-time", "thm41-risk"):
        (finding,) = CLAIM[claim].check(build(of))
        assert finding.verdict is Verdict.NOT_APPLICABLE
        assert reason in finding.note
    assert verdicts("thm41-count", build(of)) != {Verdict.NOT_APPLICABLE}


def test_an_activation_with_a_kink_rules_no_increase_out():
    def change(facts, columns):
        facts |= {"last_increase_step": 300, "increases": 1}
        columns["sharpness"] = 0.1 / facts["stepsize"] + 0 * columns["loss"]

    kinked = experiment("digits", [0.2], model__activation={"name": "relu"})
    assert verdicts("eos-unstable", build(kinked, change)) == {Verdict.NOT_APPLICABLE}
    assert verdicts("eos-unstable", build(experiment("digits", [0.2]), change)) == {
        Verdict.VIOLATED
    }


def test_figure_3_is_judged_in_the_end_and_once_the_phase_has_begun():
    assert verdicts("fig3-test-accuracy", last_gap(0.02, before=-0.1)) == {Verdict.HOLDS}
    assert verdicts("fig3-test-accuracy", last_gap(-0.02, before=0.1)) == {Verdict.VIOLATED}

    def never(facts, columns):
        facts["stable_phase_step"] = None
        columns["margin"] = -columns["margin"]

    (finding,) = CLAIM["fig3-test-accuracy"].check(build(IMAGES, never, seeds=(0, 1)))
    assert finding.verdict is Verdict.INCONCLUSIVE and "has not begun" in finding.note
    assert not CLAIM["fig3-test-accuracy"].reads(experiment("digits", [0.1, 0.2]))
    one = IMAGES.model_copy(update={"train": IMAGES.train.model_copy(update={"eta": (5.0,)})})
    assert [CLAIM["fig3-test-accuracy"].reads(of) for of in (IMAGES, one)] == [True, False]


# Two phases


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


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_comparison_of_losses_says_of_how_many_seeds(seeds):
    study = pair(lambda seed: 0.9 - 0.01 * seed, seeds=range(seeds))
    (finding,) = CLAIM["larger-stepsize-lower-loss"].check(study)
    assert finding.note.startswith("one seed" if seeds == 1 else "3 seeds, 95% interval 0.8")


@pytest.mark.parametrize("mean", [0.02, -0.02])
def test_the_room_of_a_mean_is_what_its_interval_leaves(mean):
    found = ahead([mean - 0.001, mean, mean + 0.001])
    assert found.verdict is (Verdict.HOLDS if mean > 0 else Verdict.VIOLATED)
    half = half_interval([-0.001, 0, 0.001])
    assert found.slack == pytest.approx(mean - half if mean > 0 else mean + half)
    assert abs(found.slack) < abs(mean)


@pytest.mark.parametrize(("noise", "seeds"), [(1e-3, (0, 1, 2)), (0.0, (0,))])
def test_accuracies_inside_seed_noise_decide_nothing(noise, seeds):
    study = gap(1e-4, noise, seeds)
    found = list(CLAIM["larger-stepsize-higher-test-accuracy"].check(study))
    assert [finding.verdict for finding in found] == [Verdict.INCONCLUSIVE]
    assert "seeds" in found[0].decides


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


# Theorem 2.2, step by step


MARGIN_SET = experiment("margin", [64.0])


def test_a_threshold_not_reached_says_how_many_steps_it_would_take():
    of = experiment("margin", [0.04])
    study = build(of)
    assert study.runs[0].stable_step > STEPS
    (finding,) = CLAIM["thm22-threshold"].check(fact(of, "stable_phase_step", None))
    assert finding.verdict is Verdict.INCONCLUSIVE
    needed = int(finding.decides.split("about ")[1].split(" steps")[0].replace(",", ""))
    assert needed == pytest.approx(study.runs[0].stable_step, rel=0.01)


@pytest.mark.parametrize(
    ("claim", "name", "value"),
    [
        ("thm22-loss-falls", "largest_loss_rise", 1e-14),
        ("thm22-loss-falls", "largest_loss_rise", -1e-14),
        ("thm22-norm-grows", "smallest_norm_growth", -1e-16),
    ],
)
def test_what_rounding_can_make_decides_nothing(claim, name, value):
    assert verdicts(claim, fact(XOR, name, value)) == {Verdict.INCONCLUSIVE}


def test_descent_is_undecided_where_falls_are_below_rounding():
    def change(facts, columns):
        columns["grad_norm"] = columns["grad_norm"] * 1e-6
        facts["smallest_descent_ratio"] = -3.0

    assert verdicts("thm22-descent", build(XOR, change)) == {Verdict.INCONCLUSIVE}


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


def test_a_loss_that_falls_too_slowly_violates_the_lower_line():
    def change(facts, columns):
        late = columns["step"] >= facts["stable_phase_step"]
        level = columns["loss"][late][0]
        fallen = level * (columns["step"][late] / facts["stable_phase_step"]) ** -0.05
        columns["loss"][late] = fallen

    assert verdicts("thm22-loss-bracket", build(XOR, change)) == {Verdict.VIOLATED}


#: The stable phase starts at step 170 or so and doubles the weights.
LONG = experiment("xor", [5.0])


def test_the_long_run_is_long_enough_to_violate_a_trend():
    run = build(LONG).runs[0]
    norm = run.stable["param_norm"]
    assert norm.iloc[-1] > 2 * norm.iloc[0]
    assert run.last_step > 16 * run.stable_step


@pytest.mark.parametrize(
    ("start", "pace", "expected", "why"),
    [
        (0.9, 1.0, Verdict.HOLDS, ""),
        (0.27, 0.51, Verdict.HOLDS, ""),
        (0.27, 0.49, Verdict.INCONCLUSIVE, "close, but nearing too slowly"),
        (0.05, -0.2, Verdict.INCONCLUSIVE, "close, but not nearing"),
        (4, 1.0, Verdict.INCONCLUSIVE, "not close yet"),
        (4, 0.1, Verdict.VIOLATED, ""),
    ],
)
def test_a_limit_must_be_close_and_nearing(start, pace, expected, why):
    """A distance ~ start / (ln t)^pace."""

    def change(facts, columns):
        distance = start / np.log(columns["step"] + 2.0) ** pace
        columns["grad_norm"] = columns["grad_norm"] * np.sqrt(1 + distance)

    (finding,) = CLAIM["alignment"].check(build(LONG, change))
    assert finding.verdict is expected
    assert finding.note.endswith(why)


def test_a_limit_is_undecided_where_the_stable_phase_is_short():
    def far(facts, columns):
        columns["grad_norm"] = columns["grad_norm"] * 3

    (finding,) = CLAIM["alignment"].check(build(XOR, far))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "steps" in finding.decides

    def late(facts, columns):
        facts["stable_phase_step"] = STEPS // 4 + 1

    (finding,) = CLAIM["alignment"].check(build(XOR, late))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.decides == f"{16 * (STEPS // 4 + 1):,} steps"


def test_a_limit_that_was_only_left_by_heavy_weights_is_undecided():
    """A catapult leaves ||w|| so large that the stable phase has hardly turned it."""

    def change(facts, columns):
        columns["grad_norm"] = columns["grad_norm"] * 3
        columns["param_norm"] = columns["param_norm"] + 1e6

    (finding,) = CLAIM["alignment"].check(build(LONG, change))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.decides == "more steps than fit a run"


@pytest.mark.parametrize(
    ("weights", "steps"),
    [
        ([100, 110, 120], 2**16 * 2**8),  # 80 are missing, 10 more in every octave
        ([100, 199, 199], math.inf),
        ([100, 120, 110], math.inf),
        ([100, 110, 110.5], math.inf),  # 179 octaves
        ([100, 190, 210], 2**16),
    ],
)
def test_the_step_by_which_the_weights_have_doubled_is_told_from_their_last_octave(weights, steps):
    steps_kept = pd.Index([2**14, 2**15, 2**16], name="step")
    rows = pd.DataFrame({"param_norm": np.array(weights, float)}, index=steps_kept)
    found = trend._doubling_step(Run({"stable_phase_step": 2**14}, rows))
    assert found == pytest.approx(steps, rel=1e-6)


# Theorems 3.2 and 4.1


def test_the_branches_lie_where_the_threshold_changes():
    study = build(experiment("margin", [64.0]))
    assert transition.crossing(study) == pytest.approx(245.9, rel=1e-3)


def test_too_few_stable_stepsizes_leave_the_slope_open():
    study = transition_at([16.0, 32.0, 64.0], lambda eta, seed: 5000 if eta == 64 else None)
    assert verdicts("thm41-slope", study) == {Verdict.INCONCLUSIVE}
    two = transition_at([64.0, 32.0], lambda eta, seed: 5000)
    assert verdicts("thm41-slope", two) == set()


def test_seeds_share_a_slope_but_not_a_height():
    def steps(eta, seed):
        return (1 + seed) * 2e7 / eta * (1.05 if eta == 32 else 1)

    one, five = (transition_at([16.0, 32.0, 64.0], steps, range(n)) for n in (1, 5))
    assert verdicts("thm41-slope", one) == {Verdict.INCONCLUSIVE}
    (finding,) = CLAIM["thm41-slope"].check(five)
    assert finding.verdict is Verdict.HOLDS
    assert finding.runs == 15
    assert finding.measured == pytest.approx(0, abs=1e-6)


# Corollary 4.2 and the lower bound


def test_only_horizons_beyond_the_transition_can_violate_the_corollary():
    study = losses_after(power_of(-1.5), range(5, 10))
    runs = tuple(replace(run, rows=run.rows.loc[:512]) for run in study.runs)  # c2 n is 1045
    found = verdicts("cor42-quadratic", replace(study, runs=runs))
    assert Verdict.INCONCLUSIVE in found
    assert Verdict.VIOLATED not in found


def test_the_corollary_is_contradicted_where_three_horizons_are_beyond_the_transition():
    study = losses_after(power_of(-1.5))
    runs, late = study.seeds[0], {}
    for c in horizon.factors(runs):
        T = np.array(list(horizon.losses_at(runs, c)))
        times = [bounds.phase_time(study.model, study.samples.X, c * t) for t in T]
        late[f"eta = {c:g} T"] = int((times <= T).sum())
    assert {0, 3} <= set(late.values())
    for finding in CLAIM["cor42-quadratic"].check(study):
        enough = late[finding.note.partition(",")[0]] >= 3
        assert finding.verdict is (Verdict.VIOLATED if enough else Verdict.INCONCLUSIVE)


def test_the_best_monotone_stepsize_must_be_inside_the_grid():
    def one_over(T):
        return 1 / T

    none = monotone_runs(one_over, largest_rises=0)
    assert verdicts("monotone-lower-bound", none) == {Verdict.INCONCLUSIVE}
    lost = monotone_runs(one_over, largest_rises=0, largest_diverges=True)
    assert verdicts("monotone-lower-bound", lost) == {Verdict.HOLDS}


# Sharpness


def test_without_sharpness_its_claims_do_not_apply():
    for claim in ("eos-unstable", "eos-stable", "progressive-sharpening"):
        assert verdicts(claim, build(XOR)) == {Verdict.NOT_APPLICABLE}


# Gradient flow


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
        if right == wrong:  # phi'' of a function with a kink has no bound
            continue
        assert activations.deviation(activation, wrong).verdict is Verdict.VIOLATED


def test_all_activations_are_judged():
    assert len(list(CLAIM["near-homogeneity"].judge())) == len(ALL)


def test_a_constant_that_does_not_exist_is_not_compared():
    activation = ALL[0].model_validate({"name": activations._name(ALL[0])})
    kinked = Constants(**(vars(activation.constants()) | {"curvature": math.inf}))
    assert activations.deviation(activation, kinked).verdict is Verdict.HOLDS


# Frozen and diverged runs


def test_frozen_stretches_and_runs_that_diverged_at_once_violate_nothing():
    """Everything goes wrong in them, and no claim is contradicted."""
    of = experiment("xor", [5.0, 200.0])

    def spoil(facts, columns):
        if facts["stepsize"] == of.stepsizes[0]:
            facts |= {"status": "diverged", "status_step": 10, "increases": 9}
            facts |= {"last_increase_step": 9, "largest_loss_rise": 7.0}
            facts["stable_phase_step"] = None
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


@pytest.mark.parametrize(
    ("claim", "of", "begun", "expected"),
    [
        ("thm22-descent", XOR, True, Verdict.VIOLATED),  # it left the stable phase
        ("thm22-descent", XOR, False, Verdict.INCONCLUSIVE),
        ("alignment", XOR, True, Verdict.VIOLATED),
        ("two-phases", XOR, True, Verdict.VIOLATED),
        ("two-phases", XOR, False, Verdict.INCONCLUSIVE),
        ("thm32-mean-loss", MARGIN_SET, False, Verdict.VIOLATED),  # whatever the stepsize
        ("thm41-count", MARGIN_SET, False, Verdict.VIOLATED),
        ("thm22-threshold", MARGIN_SET, False, Verdict.VIOLATED),
        ("thm41-time", MARGIN_SET, False, Verdict.VIOLATED),
        ("thm41-risk", MARGIN_SET, True, Verdict.VIOLATED),
    ],
)
def test_a_diverged_run_contradicts_what_rules_it_out(claim, of, begun, expected):
    def change(facts, columns):
        step = facts["stable_phase_step"] + 1 if begun else 40
        facts |= {"status": "diverged", "status_step": step}
        if not begun:
            facts["stable_phase_step"] = None
            columns["margin"] = -columns["margin"]

    (finding,) = CLAIM[claim].check(build(of, change))
    assert finding.verdict is expected
    assert "diverged at step" in finding.note or finding.measured == finding.step
    assert finding.stepsize == of.stepsizes[0]


def test_a_run_that_diverged_at_its_first_step_breaks_no_claim():
    def change(facts, columns):
        facts |= {"status": "diverged", "status_step": 0, "stable_phase_step": None}

    for of in (experiment("xor", [5.0, 10.0]), experiment("digits", [0.01, 0.2])):
        study = build(of, change, seeds=(0, 1))
        assert not study.runs and len(study.diverged) == 4
        for claim in CLAIMS:
            if claim.about_runs and claim.reads(of):
                assert Verdict.HOLDS not in verdicts(claim.id, study), claim.id


def test_the_largest_survivor_is_not_called_the_largest_stepsize():
    def change(facts, columns):
        if facts["stepsize"] == 0.4:
            facts |= {"status": "diverged", "status_step": 7}
        facts["separation_step"] = 1000

    of = experiment("digits", [0.01, 0.2, 0.4])
    (accuracy,) = CLAIM["larger-stepsize-higher-test-accuracy"].check(build(of, change, (0, 1)))
    assert "larger stepsizes diverged: 0.4" in accuracy.note
    losses = list(CLAIM["larger-stepsize-lower-loss"].check(build(of, change, (0, 1))))
    assert losses[-1].verdict is Verdict.INCONCLUSIVE
    assert losses[-1].note == "stepsize 0.4 diverged with 2 of 2 seeds"
    # 0.01 is small beside 0.4, which diverged, though not beside 0.2.
    small = list(CLAIM["small-stepsize-monotone"].check(build(of, change)))
    assert [finding.stepsize for finding in small] == [0.01]


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
    assert "steps" not in finding.decides


# Of which experiments a claim speaks

EVERY = {"xor", "margin", "digits", "five_points"}


@pytest.mark.parametrize(
    ("claims", "sources"),
    [
        (["fig4-neurons", "fig4-network"], {"five_points"}),
        (["thm41-slope", "thm41-plateau", "cor42-quadratic"], {"margin"}),
        (["larger-stepsize-higher-test-accuracy", "test-accuracy-at-equal-loss"], {"digits"}),
        (["two-phases", "larger-stepsize-lower-loss", "thm22-descent", "eos-stable"], EVERY),
    ],
)
def test_a_claim_reads_the_experiments_that_it_speaks_of(claims, sources):
    of = {source: experiment(source, [1.0, 2.0]) for source in EVERY - {"five_points"}}
    recorded = {"train__record": {"neurons": True}}
    of["five_points"] = experiment("five_points", [1.5, 3.0], **recorded)
    for claim in claims:
        assert {name for name, each in of.items() if CLAIM[claim].reads(each)} == sources, claim


def test_comparing_stepsizes_takes_two_and_a_sweep_takes_ten():
    assert not CLAIM["larger-stepsize-lower-loss"].reads(experiment("xor", [1.0]))
    assert not CLAIM["larger-stepsize-higher-test-accuracy"].reads(experiment("digits", [1.0]))
    grids = {n: experiment("margin", [float(k + 1) for k in range(n)]) for n in (9, 10)}
    assert [n for n, of in grids.items() if CLAIM["monotone-lower-bound"].reads(of)] == [10]
    assert not CLAIM["flow-limit"].reads(experiment("xor", [1.0]))


# Hypotheses


@pytest.mark.parametrize(
    ("claim", "of", "reason"),
    [
        ("thm22-descent", experiment("digits", [0.2]), "every layer is trained"),
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


def test_every_claim_about_runs_names_the_paper_s_method_or_reads_several():
    own, several = (experiment("xor"), experiment("digits")), (FLAVORS, POLICIES)
    for claim in (claim for claim in CLAIMS if claim.about_runs):
        if papers_method not in claim.needs:
            assert not any(map(claim.reads, own)), claim.id
            assert any(map(claim.reads, several)), claim.id


def test_claims_of_several_methods_do_not_apply_where_nothing_speaks_for_them():
    bent = FLAVORS.model_copy(
        update={"model": FLAVORS.model.model_copy(update={"activation": GELU()})}
    )
    same = FLAVORS.model_copy(update={"geometry": False})
    for claim in ("steepest-soft-margin", "steepest-own-norm"):
        (finding,) = CLAIM[claim].check(build(bent))
        assert finding.verdict is Verdict.NOT_APPLICABLE and "not homogeneous" in finding.note
        assert not CLAIM[claim].reads(same)
    xor = POLICIES.model_copy(update={"dataset": experiment("xor").dataset})
    (finding,) = CLAIM["loss-normalized-beats-powers"].check(build(xor))
    assert finding.verdict is Verdict.NOT_APPLICABLE and "not linearly separable" in finding.note
    (finding,) = CLAIM["thm22-descent"].check(build(POLICIES))
    assert finding.verdict is Verdict.NOT_APPLICABLE and "several methods" in finding.note


def test_theorem_2_2_needs_no_leak():
    gelu = experiment("xor", [200.0], model__activation={"name": "gelu"})
    assert verdicts("thm22-descent", build(gelu)) == {Verdict.HOLDS}
