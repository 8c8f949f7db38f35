"""Theorems 3.2 and 4.1, Corollary 4.2 and the lower bound for monotone stepsizes."""

from dataclasses import replace

import numpy as np
import true_runs
from constructed import build, experiment, samples
from examples import diverged, example, fact, true, wrong
from true_runs import MARGIN as TRUE_MARGIN

from largestep.theory import bounds
from largestep.theory.hard_margin import hard_margin


def net(of):
    data = samples(of)
    return bounds.separable(of.model, data.X, hard_margin(data.X, data.y)[0])


def mean_loss_bound(facts, columns, of):
    start, steps = columns["param_norm"][0], np.maximum(columns["step"], 1)
    return bounds.mean_loss(net(of), facts["stepsize"], start, steps)


def mean_slope_bound(facts, columns, of):
    allowed = bounds.slope_sum(net(of), facts["stepsize"], columns["displacement"])
    return allowed / np.maximum(columns["step"], 1)


RUNNING = {
    "thm32-mean-loss": ("running_mean_loss", mean_loss_bound),
    "thm41-count": ("running_mean_slope", mean_slope_bound),
}


def at_bound(claim, share, place, of=TRUE_MARGIN):
    """True runs whose running quantity is at one recorded step that share of its bound."""
    column, bound = RUNNING[claim]

    def change(facts, columns):
        where = 1 + int(place * (len(columns["step"]) - 2))
        columns[column][where] = share * bound(facts, columns, of)[where]

    return true(of, change)


def register(claim):
    @example(claim)
    def at_one_step(slack):
        return at_bound(claim, 1 - slack, 0.5)

    @wrong(claim)
    def beyond_at_one_step(size):
        return at_bound(claim, 1 + 1e-6, size)

    @wrong(claim)
    def the_bound_off_by_two(size):
        return at_bound(claim, 2, size)

    @wrong(claim)
    def beyond_in_the_end(size):
        return at_bound(claim, 1 + size, 1)

    @wrong(claim)
    def divergence(size):
        return diverged(TRUE_MARGIN, 1 + size * 1000, true_runs.run)


for name in RUNNING:
    register(name)


# Theorem 4.1 with its constants


ONE = experiment("margin", [64.0])


def paper_net(of):
    phi, data = of.model.activation.constants(), samples(of)
    gamma = hard_margin(data.X, data.y)[0]
    return bounds.PaperNet(phi.alpha, phi.kappa, phi.curvature, gamma, of.model.m)


def transition(share, of=ONE, start=None):
    """The stable phase begins at this share of the theorem's tau."""

    def change(facts, columns):
        n, first = len(samples(of).y), columns["param_norm"][0]
        tau = bounds.latest_transition(paper_net(of), n, facts["eta"], first)
        facts["stable_phase_step"] = int(share * tau) + (share > 1)

    return build(of, change, **({"start": start} if start else {}))


@example("thm41-time")
def in_time(slack):
    return transition(1 - slack)


@wrong("thm41-time")
def a_little_later_than_tau(size):
    return transition(1 + 1e-3 * size, TRUE_MARGIN, true_runs.run)


@wrong("thm41-time")
def tau_off_by_two(size):
    return transition(2 + size)


@wrong("thm41-time")
def not_there_yet(size):
    return fact(ONE, "stable_phase_step", None)


@wrong("thm41-time")
def divergence_before_tau(size):
    return diverged(TRUE_MARGIN, 1 + size * 1000, true_runs.run)


def late(factor, of=TRUE_MARGIN, start=true_runs.run):
    """At the recorded steps after s the loss is the bound times factor(steps after s, of all)."""

    def change(facts, columns):
        elapsed = columns["step"] - facts["stable_phase_step"]
        inside = elapsed > 0
        bound = bounds.late_loss(paper_net(of), facts["eta"], elapsed[inside])
        share = factor(np.linspace(0, 1, inside.sum()))
        columns["loss"][inside] = share * bound

    return build(of, change, start=start)


@example("thm41-risk")
def below_the_bound(slack):
    return late(lambda place: np.where(place > 0.5, 1 - slack, 0.5))


@wrong("thm41-risk")
def above_it_at_one_step(size):
    return late(lambda place: np.where(place == place[int(size * (len(place) - 1))], 1.001, 0.3))


@wrong("thm41-risk")
def a_slope_off_by_a_fifth(size):
    return late(lambda place: 0.9 * np.exp(place * (0.2 + size)))


@wrong("thm41-risk")
def no_stable_phase(size):
    return true(TRUE_MARGIN, lambda facts, columns: facts.update(stable_phase_step=None))


@wrong("thm41-risk")
def divergence_after_s(size):
    return diverged(TRUE_MARGIN, lambda facts: facts["stable_phase_step"] + 1, true_runs.run)


# Theorem 4.1's branches, in our reading


def transition_at(etas, steps, seeds=(0,)):
    """The margin generator's runs with these transition steps."""

    def change(facts, columns):
        facts["stable_phase_step"] = steps(facts["eta"], facts["seed"])

    return build(experiment("margin", etas), change, seeds=seeds)


SLOPE, PLATEAU = [16.0, 32.0, 64.0], [250.0, 300.0, 350.0, 400.0]


def power(exponent):
    return lambda eta, seed: 2e8 * eta**exponent


@example("thm41-slope")
def slope(slack):
    return transition_at(SLOPE, power(-1 - 0.15 * (1 - slack)))


@wrong("thm41-slope")
def a_fifth_flatter(size):
    return transition_at(SLOPE, power(-0.8 + 0.5 * size))


@wrong("thm41-slope")
def a_fifth_steeper(size):
    return transition_at(SLOPE, power(-1.2 - size))


@wrong("thm41-slope")
def scattered(size):
    scatter = {16.0: 1.0, 32.0: 1.2 + size, 64.0: 1.0}
    return transition_at(SLOPE, lambda eta, seed: 2e8 / eta * scatter[eta])


@wrong("thm41-slope")
def only_survivors(size):
    def steps(eta, seed):
        return None if eta == 32 else 2e8 / eta

    return transition_at([8.0, *SLOPE], steps)


@wrong("thm41-slope")
def one_diverged(size):
    def change(facts, columns):
        facts["stable_phase_step"] = 2e8 / facts["eta"]
        if facts["eta"] == 64:
            facts |= {"status": "diverged", "status_step": 10 + int(size * 100)}

    return build(experiment("margin", [8.0, *SLOPE]), change)


@example("thm41-plateau")
def plateau(slack):
    return transition_at(PLATEAU, power(-0.5 * (1 - slack)))


@wrong("thm41-plateau")
def as_early_as_one_over_eta(size):
    return transition_at(PLATEAU, power(-1 + 0.4 * (1 - size)))


@wrong("thm41-plateau")
def a_flat_line_in_noise(size):
    noise = {250.0: 1.0, 300.0: 1.2 + size, 350.0: 1.0, 400.0: 1 / (1.2 + size)}
    return transition_at(PLATEAU, lambda eta, seed: 2e8 * noise[eta] * eta ** (-0.2 * size))


@wrong("thm41-plateau")
def two_points(size):
    return transition_at(PLATEAU[:2], power(-0.1 * size))


# Corollary 4.2


HORIZONS = range(8, 14)


def losses_after(loss_of, horizons=HORIZONS):
    """Runs with eta = 0.05 T, T = 2^k; loss_of(T, eta) is the loss after T steps."""

    def change(facts, columns):
        columns["loss"] = loss_of(np.maximum(columns["step"], 1.0), facts["eta"])

    return build(experiment("margin", [0.05 * 2**k for k in horizons]), change)


def power_of(exponent):
    return lambda T, eta: (eta * T) ** (exponent / 2)


@example("cor42-quadratic")
def quadratic(slack):
    return losses_after(power_of(-1.9 * (1 + slack)))


@wrong("cor42-quadratic")
def too_flat(size):
    return losses_after(power_of(-1.9 + size))


@wrong("cor42-quadratic")
def flat_in_the_end(size):
    """Over all T steep enough, and bending upwards."""

    def loss_of(T, eta):
        late = np.maximum(np.sqrt(T * eta / 0.05) / 2**12, 1)
        return (eta * T) ** -1.1 * late ** (0.4 + size)

    return losses_after(loss_of)


@wrong("cor42-quadratic")
def one_loss_raised(size):
    def loss_of(T, eta):
        return (eta * T) ** -1.0 * np.where(np.isclose(eta, 0.05 * 2**10), 1.1 + size, 1)

    return losses_after(loss_of)


@wrong("cor42-quadratic")
def before_the_transition(size):
    study = losses_after(power_of(-1.8 + size), range(5, 10))
    runs = tuple(replace(run, rows=run.rows.loc[:512]) for run in study.runs)
    return replace(study, runs=runs)  # c2 n is 1045


# The best monotone stepsize


def monotone_runs(loss_of, largest_rises=1, largest_diverges=False, etas=12):
    def change(facts, columns):
        facts["increases"] = largest_rises if facts["eta"] == etas - 1 else 0
        columns["loss"] = loss_of(np.maximum(columns["step"], 1.0)) / facts["eta"]
        if facts["eta"] == etas - 1:
            columns["loss"] = columns["loss"] ** 2  # a non-monotone run may be as fast as it likes
            if largest_diverges:
                facts |= {"status": "diverged", "status_step": 5}

    return build(experiment("margin", [float(eta) for eta in range(1, etas)]), change)


@example("monotone-lower-bound")
def lower_bound(slack):
    return monotone_runs(lambda T: T ** (-1.1 * (1 - slack)))


@wrong("monotone-lower-bound")
def faster_than_one_over_t(size):
    return monotone_runs(lambda T: T ** (-1.1 - size))


@wrong("monotone-lower-bound")
def faster_in_the_end(size):
    return monotone_runs(lambda T: 1 / T / np.maximum(T / 2**12, 1) ** (0.2 + size))


@wrong("monotone-lower-bound")
def all_of_them_monotone(size):
    return monotone_runs(lambda T: T ** (-1.1 * size), largest_rises=0)
