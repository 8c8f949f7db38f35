"""Theorem 2.2: every step of the stable phase, and its limits."""

import math

import numpy as np
import true_runs
from constructed import STEPS, build, experiment, samples
from examples import diverged, example, fact, true, wrong
from true_runs import MARGIN as TRUE_MARGIN
from true_runs import XOR as TRUE_XOR

from largestep.claims.registered import CLAIMS
from largestep.theory import bounds, thresholds
from largestep.theory.hard_margin import hard_margin

#: On XOR, in the stable phase from step 1700 or so on; and from 170 on, which doubles the weights.
XOR, LONG = experiment("xor", [0.5]), experiment("xor", [5.0])
MARGIN_SET = experiment("margin", [64.0])

STEPWISE = [
    "thm22-loss-falls",
    "thm22-descent",
    "thm22-norm-grows",
    "thm22-margin-positive",
    "thm22-modified-margin",
    "thm22-gamma-b",
    "thm22-gamma-a",
    "thm22-margin-nearly-grows",
    "thm22-loss-bracket",
]
LIMITS = [
    "thm22-loss-rate",
    "thm22-norm-rate",
    "thm22-direction",
    "asymptotic-constant",
    "alignment",
]


@wrong(*STEPWISE, *LIMITS)
def divergence_in_the_stable_phase(size):
    return diverged(TRUE_XOR, lambda facts: facts["stable_phase_step"] * (1 + size), true_runs.run)


@wrong(*STEPWISE, *LIMITS)
def never_under_the_threshold(size):
    def change(facts, columns):
        facts["stable_phase_step"] = None

    return true(TRUE_XOR, change)


# The threshold


def latest_step(facts, columns):
    data = samples(MARGIN_SET)
    net = bounds.separable(MARGIN_SET.model, data.X, hard_margin(data.X, data.y)[0])
    start, level = columns["param_norm"][0], facts["stable_threshold"]
    return bounds.transition_step(net, facts["stepsize"], start, level)


@example("thm22-threshold")
def in_time(slack):
    def change(facts, columns):
        facts["stable_phase_step"] = int(latest_step(facts, columns) * (1 - slack)) + (slack < 0)

    return build(MARGIN_SET, change)


@wrong("thm22-threshold")
def later_than_the_bound(size):
    return in_time(-size)


@wrong("thm22-threshold")
def divergence_instead(size):
    return diverged(TRUE_MARGIN, 1 + size * 1000, true_runs.run)


@wrong("thm22-threshold")
def not_yet(size):
    return fact(MARGIN_SET, "stable_phase_step", None)


# Every step


@example("thm22-loss-falls")
def falls(slack):
    return fact(XOR, "largest_loss_rise", -slack)


@wrong("thm22-loss-falls")
def one_step_raised(size):
    def change(facts, columns):
        facts["largest_loss_rise"] = 1e-3 * size

    return true(TRUE_XOR, change)


@wrong("thm22-loss-falls")
def a_frozen_float32_tail(size):
    def change(facts, columns):
        facts |= {"dtype": "float32", "largest_loss_rise": -1e-7 * size}

    return true(TRUE_XOR, change)


@example("thm22-descent")
def descent(slack):
    return fact(XOR, "smallest_descent_ratio", 0.5 * (1 + slack))


@wrong("thm22-descent")
def half_of_the_descent(size):
    def change(facts, columns):
        facts["smallest_descent_ratio"] *= 0.5 - 0.4 * size

    return true(TRUE_XOR, change)


@wrong("thm22-descent")
def falls_below_rounding(size):
    def change(facts, columns):
        columns["grad_norm"] = columns["grad_norm"] * 1e-6 * size
        facts["smallest_descent_ratio"] = 3.0

    return true(TRUE_XOR, change)


@example("thm22-norm-grows")
def grows(slack):
    return fact(XOR, "smallest_norm_growth", slack)


@wrong("thm22-norm-grows")
def one_step_shrinks(size):
    def change(facts, columns):
        facts["smallest_norm_growth"] = -1e-6 * size

    return true(TRUE_XOR, change)


@wrong("thm22-norm-grows")
def growth_within_rounding(size):
    return fact(XOR, "smallest_norm_growth", 1e-15 * size)


@example("thm22-margin-positive")
def positive(slack):
    def change(facts, columns):
        columns["normalized_margin"][-1] = slack
        columns["normalized_margin"][0] = -1.0  # before the stable phase

    return build(XOR, change)


@wrong("thm22-margin-positive")
def one_sample_misclassified_at_one_step(size):
    def change(facts, columns):
        late = np.flatnonzero(columns["step"] >= facts["stable_phase_step"])
        columns["normalized_margin"][late[int(size * (len(late) - 1))]] *= -1

    return true(TRUE_XOR, change)


@wrong("thm22-margin-positive")
def all_labels_flipped(size):
    def change(facts, columns):
        columns["normalized_margin"] = -size * columns["normalized_margin"]

    return true(TRUE_XOR, change)


# Margins


def modified(of, gain, start, where=None):
    """ln gamma^c gains this much from each recorded step of the stable phase to the next.

    where: at one of them alone, as a share of the phase; the others are as they were.
    """
    f = thresholds.smoothness(of.model, samples(of).X)

    def change(facts, columns):
        late = columns["step"] >= facts["stable_phase_step"]
        loss, norm, n = columns["loss"][late], columns["param_norm"], len(samples(of).y)
        log = bounds.modified_margin(f, n, facts["stepsize"], loss, norm[late])
        gains = np.diff(log) if where is not None else np.full(late.sum() - 1, gain)
        if where is not None:
            gains[int(where * (len(gains) - 1))] = gain
        wanted = log[0] + np.append(0, np.cumsum(gains))
        norm[late] = norm[late] * np.exp(log - wanted)

    return build(of, change, **({"start": start} if start else {}))


@example("thm22-modified-margin")
def modified_margin_grows(slack):
    return modified(XOR, 1e-3 * slack, None)


@wrong("thm22-modified-margin")
def the_modified_margin_falls_once(size):
    return modified(TRUE_XOR, -1e-4 - 1e-3 * size, true_runs.run, where=size)


@wrong("thm22-modified-margin")
def the_modified_margin_falls_all_the_time(size):
    return modified(TRUE_XOR, -1e-3 * size, true_runs.run)


@wrong("thm22-modified-margin")
def one_loss_raised(size):
    def change(facts, columns):
        late = np.flatnonzero(columns["step"] > facts["stable_phase_step"])
        columns["loss"][late[int(size * (len(late) - 1))]] *= 1.1

    return true(TRUE_XOR, change)


def drawdown(claim, name, slack, kappa=False):
    """Fall by the bound that a first check reports, less some slack."""
    study = build(XOR)
    (finding,) = claim.check(study)
    rows = study.runs[0].stable
    less = study.smoothness.kappa if kappa else 0
    largest = ((-np.log(study.n * rows["loss"]) - less) / rows["param_norm"]).max()
    return fact(XOR, name, finding.bound * largest * (1 - slack))


def claim_of(name):
    return next(claim for claim in CLAIMS if claim.id == name)


@example("thm22-gamma-a")
def gamma_a(slack):
    return drawdown(claim_of("thm22-gamma-a"), "gamma_a_drawdown", slack)


@example("thm22-gamma-b")
def gamma_b(slack):
    return drawdown(claim_of("thm22-gamma-b"), "gamma_b_drawdown", slack, kappa=True)


@wrong("thm22-gamma-a", "thm22-gamma-b")
def smoothed_margins_fall(size):
    def change(facts, columns):
        peak = (-np.log(4 * columns["loss"]) / columns["param_norm"])[-1]
        facts["gamma_a_drawdown"] = facts["gamma_b_drawdown"] = peak * (0.2 + 0.8 * size)

    return true(TRUE_XOR, change)


@wrong("thm22-gamma-b")
def the_bound_off_by_two(size):
    return gamma_b(-size)


@wrong("thm22-gamma-a")
def twice_the_rounding(size):
    return gamma_a(-size)


@example("thm22-margin-nearly-grows")
def nearly_grows(slack):
    """By a twentieth, less some slack; beyond what the theorem allows where it is negative."""

    def change(facts, columns):
        late = columns["step"] >= facts["stable_phase_step"]
        fall = 0.05 * (1 - slack) if slack > 0 else 100
        facts["normalized_margin_drawdown"] = fall * columns["normalized_margin"][late].min()

    return build(XOR, change)


@wrong("thm22-margin-nearly-grows")
def falls_by_more_than_a_twentieth(size):
    def change(facts, columns):
        most = columns["normalized_margin"].max()
        facts["normalized_margin_drawdown"] = most * (0.05 + size)

    return true(TRUE_XOR, change)


@wrong("thm22-margin-nearly-grows")
def saturates_below_where_it_began(size):
    def change(facts, columns):
        late = columns["step"] >= facts["stable_phase_step"]
        down = np.linspace(0, 0.04 * size, late.sum())
        columns["normalized_margin"][late] = columns["normalized_margin"][late][0] * (1 - down)
        facts["normalized_margin_drawdown"] = 0.04 * size * columns["normalized_margin"][late][0]

    return true(TRUE_XOR, change)


# L = Theta(1/t)


def inverse_loss(of, start, growth):
    """1/L grows by `growth` upper bounds per step from the stable phase on."""
    f = thresholds.smoothness(of.model, samples(of).X)

    def change(facts, columns):
        s, step = facts["stable_phase_step"], columns["step"]
        rate = 2 * facts["stepsize"] * f.rho2 * growth
        first = 1 / np.interp(s, step, columns["loss"])
        late = step >= s
        columns["loss"] = np.where(
            late, 1 / (first + rate * np.maximum(step - s, 0)), columns["loss"]
        )

    return build(of, change, **start)


@example("thm22-loss-bracket")
def bracket(slack):
    return inverse_loss(XOR, {}, 1 - slack)


@wrong("thm22-loss-bracket")
def the_upper_line_off_by_two(size):
    return inverse_loss(TRUE_XOR, {"start": true_runs.run}, 1.05 + size)


@wrong("thm22-loss-bracket")
def a_slope_that_is_nearly_flat(size):
    def change(facts, columns):
        late = columns["step"] >= facts["stable_phase_step"]
        level = columns["loss"][late][0]
        fallen = (columns["step"][late] / columns["step"][late][0]) ** (-0.1 * size)
        columns["loss"][late] = level * fallen

    return true(TRUE_XOR, change)


# Limits: nearing their limit in (slack > 0), or stuck beyond 1/ln T of it


def steps_and_distance(columns, slack, power=1):
    """Distance from a limit: (1 - slack) / (ln t)^power, or always what that is at T."""
    logs = np.log(np.maximum(columns["step"], 3.0))
    return (1 - slack) / np.where(slack > 0, logs, math.log(STEPS)) ** power


def limit(column, factor):
    """LONG with one column multiplied by a function of the distance."""

    def make(slack):
        def change(facts, columns):
            columns[column] = columns[column] * factor(steps_and_distance(columns, slack))

        return build(LONG, change)

    return make


example("thm22-norm-rate")(limit("normalized_margin", lambda d: (1 + d) * 1.0008))
example("asymptotic-constant")(limit("loss", lambda d: (1 + d) * 1.0001))
example("alignment")(limit("grad_norm", lambda d: np.sqrt(1 + d)))


@example("thm22-loss-rate")
def loss_rate(slack):
    """Slopes between t/2 and t that are off -1 by the distance at t."""

    def change(facts, columns):
        step = columns["step"]
        powers = 2 ** np.arange(15)
        distance = steps_and_distance({"step": powers}, slack)
        log_loss = -np.cumsum(1 - distance) * math.log(2)
        columns["loss"] = columns["loss"][0] * np.exp(
            np.interp(np.log(np.maximum(step, 1)), np.log(powers), log_loss)
        )

    return build(LONG, change)


@example("thm22-direction")
def direction(slack):
    return turning(lambda step: steps_and_distance({"step": step}, slack, power=2))


def turning(angle):
    def change(facts, columns):
        angles = np.cos(angle(columns["step"]))
        columns["cosine_to_half"] = np.where(np.isnan(columns["cosine_to_half"]), np.nan, angles)

    return build(LONG, change)


def logs(step):
    return np.log2(np.maximum(step, 2.0))


@wrong("thm22-direction")
def a_direction_that_turns_ever_faster(size):
    """Close all the time: this is how the largest stepsize of the demo looks."""
    return turning(lambda step: 1e-3 * (1 + size * logs(step) / 14))


@wrong("thm22-direction")
def a_direction_that_turns_all_the_time(size):
    return turning(lambda step: np.full(len(step), 0.009 * size))


@wrong("thm22-direction")
def angles_with_an_infinite_sum(size):
    return turning(lambda step: 0.1 * size / logs(step))


@wrong("asymptotic-constant", "thm22-norm-rate")
def a_constant_off_by_a_fifth(size):
    def change(facts, columns):
        columns["normalized_margin"] = columns["normalized_margin"] * (1.2 + size)

    return true(TRUE_XOR, change)


@wrong("alignment")
def a_gradient_off_by_a_fifth(size):
    def change(facts, columns):
        columns["grad_norm"] = columns["grad_norm"] * (1.2 + size)

    return true(TRUE_XOR, change)


@wrong("asymptotic-constant", "alignment", "thm22-norm-rate")
def moving_away_from_the_limit(size):
    """Within 1/ln T of 1 all the time."""

    def change(facts, columns):
        away = 1 + 0.05 * (0.2 + size) * logs(columns["step"]) / 13
        facts_of = {"loss": away, "grad_norm": away**1.5, "normalized_margin": np.ones(len(away))}
        for name, factor in facts_of.items():
            columns[name] = columns[name] * factor
        columns["param_norm"] = columns["param_norm"] * away

    return build(LONG, change)


@wrong("thm22-loss-rate")
def a_slope_changed_by_a_fifth(size):
    def change(facts, columns):
        columns["loss"] = columns["loss"] ** (1.2 + size)

    return true(TRUE_XOR, change)


@wrong("thm22-loss-rate")
def a_frozen_tail(size):
    def change(facts, columns):
        frozen = columns["step"] >= 2**11
        columns["loss"] = np.where(frozen, columns["loss"][frozen][0], columns["loss"])

    return true(TRUE_XOR, change)


@wrong("thm22-loss-rate")
def a_slope_that_drifts_away(size):
    def change(facts, columns):
        t = logs(columns["step"])
        columns["loss"] = columns["loss"] * 2 ** (0.002 * (0.2 + size) * t**2)

    return build(LONG, change)
