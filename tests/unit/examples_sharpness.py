"""Edge of stability, gradient flow."""

import numpy as np
from constructed import STEPS, build, experiment
from examples import example, true, wrong
from true_runs import XOR as TRUE_XOR

from largestep.configuration.experiment import Flow

XOR, LONG = experiment("xor", [0.5]), experiment("xor", [5.0])
MLP = experiment("digits", [0.2])


def sharp(ratio, of=LONG, **facts_changed):
    """lambda_max * stepsize / 2 as a function of the step."""

    def change(facts, columns):
        facts |= facts_changed
        columns["sharpness"] = 2 / facts["stepsize"] * ratio(columns["step"])

    return build(of, change)


def oscillating(ratio):
    return sharp(ratio, last_increase_step=20, increases=9)


def level(value):
    return lambda step: np.full(len(step), value)


@example("eos-unstable")
def unstable(slack):
    return oscillating(level(1 + slack))


@wrong("eos-unstable")
def too_flat_to_increase(size):
    return oscillating(level(1 - 0.9 * size))


@wrong("eos-unstable")
def halved(size):
    """The true sharpness, less than half of it."""

    def change(facts, columns):
        columns["sharpness"] = columns["sharpness"] * (0.2 + 0.2 * size)

    return true(TRUE_XOR, change)


@wrong("eos-unstable")
def a_peak_between_steps_perhaps(size):
    return oscillating(lambda step: np.where(step == 7, 0.5 + 0.4 * size, 0.0))


@wrong("eos-unstable")
def one_snapshot(size):
    return oscillating(lambda step: np.where(step == 3, 1 + size, np.nan))


@example("eos-stable")
def stable(slack):
    return sharp(lambda step: np.where(step > 5000, 0.25 * (1 - slack), 0.1))


@wrong("eos-stable")
def more_than_a_quarter_once(size):
    def change(facts, columns):
        late = np.flatnonzero(columns["step"] >= facts["stable_phase_step"])
        columns["sharpness"][late[int(size * (len(late) - 1))]] = 2.1 * 0.25 / facts["stepsize"]

    return true(TRUE_XOR, change)


@wrong("eos-stable")
def unstable_for_ever(size):
    return sharp(level(1 + size), MLP)


@wrong("eos-stable")
def two_snapshots_of_an_mlp(size):
    kept = (2**13, STEPS)
    return sharp(lambda step: np.where(np.isin(step, kept), 0.5 * size, np.nan), MLP)


@wrong("eos-stable")
def no_snapshot(size):
    return sharp(lambda step: np.where(step <= 100 * size, 0.1, np.nan))


@example("progressive-sharpening")
def sharpening(slack):
    """By a tenth and some; or not at all."""
    more = 0.1 * (1 + slack) if slack > 0 else slack
    return sharp(lambda step: np.where(step == 0, 1.0, 1 + more))


@wrong("progressive-sharpening")
def flattening(size):
    return sharp(lambda step: 1 - size * step / STEPS / 2)


@wrong("progressive-sharpening")
def sharper_by_a_little(size):
    return sharp(lambda step: np.where(step == 100, 1 + 0.099 * size, 1.0))


@wrong("progressive-sharpening")
def the_smallest_stepsize_is_not_monotone(size):
    return sharp(lambda step: 1 + size * step, increases=3, last_increase_step=9)


@wrong("progressive-sharpening")
def the_initial_sharpness_is_missing(size):
    return sharp(lambda step: np.where(step == 0, np.nan, 1 + size * step))


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


@example("flow-limit")
def flow_limit(slack):
    return near_flow(lambda stepsize: 1e-2 * stepsize ** (1 - 0.2 * (1 - slack)))


@wrong("flow-limit")
def slower_than_the_stepsize(size):
    return near_flow(lambda stepsize: 1e-2 * stepsize ** (0.78 * (1 - size)))


@wrong("flow-limit")
def faster_than_the_stepsize(size):
    return near_flow(lambda stepsize: 1e-2 * stepsize ** (1.22 + size))


@wrong("flow-limit")
def within_the_error_of_the_flow(size):
    return near_flow(lambda stepsize: 1e-2 * stepsize, tolerance=1.1e-5 / size)


@wrong("flow-limit")
def one_small_stepsize(size):
    return near_flow(lambda stepsize: 1e-2 * stepsize * size, rises=(0.5, 1.0))
