"""Steepest descent in three norms, and stepsize policies."""

import numpy as np
from constructed import build, ideal
from examples import example, wrong

from largestep.configuration.experiment import Experiment

#: A homogeneous net of order 2, from gradient descent in the limit of small steps.
FLAVORS = Experiment.model_validate(
    {
        "dataset": {"source": "xor"},
        "model": {"kind": "two_layer_both", "width": 4, "activation": {"name": "relu"}},
        "train": {
            "methods": [
                {"stepsize": [1]},
                {"direction": {"name": "sign"}, "stepsize": [2]},
                {"direction": {"name": "coordinate"}, "stepsize": [3]},
            ],
            "seeds": [0, 1, 2],
            "steps": 2**14,
            "record": {"snapshots": 16},
        },
        "geometry": True,
    }
)
NORMS = {
    1: ("gradient", "param_norm"),
    2: ("sign descent", "norm_linf"),
    3: ("coordinate descent", "norm_l1"),
}

POLICIES = Experiment.model_validate(
    {
        "dataset": {"source": "margin", "n": 50, "d": 10, "gamma": 0.05},
        "model": {
            "kind": "two_layer",
            "width": 10,
            "activation": {"name": "leaky_softplus", "c": 0.5},
        },
        "train": {
            "methods": [
                {"stepsize": [1, 9]},
                {"policy": {"name": "loss_normalized"}, "stepsize": [2]},
            ],
            "seeds": [0, 1, 2],
            "steps": 2**14,
        },
    }
)


def flavors(change=lambda facts, columns: None):
    """Soft margins that grow like 1 - 1/(t + 2) in every norm; each method's own ends largest."""

    def begin(of, data, stepsize, seed):
        facts, columns = ideal(POLICIES, data, stepsize, seed)
        facts["descent"], own = NORMS[stepsize]
        t, n = columns["step"], len(data.y)
        loss = 0.5 / (n * (t + 2.0))
        soft = 1 - 1 / (t + 2.0)
        norm = np.sqrt(-np.log(n * loss) / soft)
        columns |= {"loss": loss, "margin": -np.log(n * loss), "param_norm": 1.1 * norm}
        columns |= {"norm_l1": 1.1 * norm, "norm_linf": 1.1 * norm}
        columns[own] = norm * (1 + 1e-3 * seed)
        still = np.full(len(t), 1e-9)
        columns |= dict.fromkeys(("grad_norm", "grad_norm_l1", "grad_norm_linf"), still)
        columns["next_loss"] = loss * (1 - 1e-9)
        change(facts, columns)
        return facts, columns

    return build(FLAVORS, seeds=(0, 1, 2), start=begin)


def bent(facts, columns, size, at=500):
    """The norms grow by a share at a step, so that every soft margin falls."""
    later = columns["step"] >= at
    for name in ("param_norm", "norm_l1", "norm_linf"):
        columns[name] = columns[name] * np.where(later, 1 + size, 1)


@example("steepest-soft-margin")
def gains(slack):
    """Each soft margin gains slack/1000 in logarithm from one snapshot to the next, or loses it."""

    def change(facts, columns):
        t, n = columns["step"], 4
        growth = np.exp(slack * 1e-3 * np.arange(len(t)))
        for name in ("param_norm", "norm_l1", "norm_linf"):
            columns[name] = np.sqrt(-np.log(n * columns["loss"]) / growth)

    return flavors(change)


@wrong("steepest-soft-margin")
def one_step_too_long(size):
    return flavors(lambda facts, columns: bent(facts, columns, 0.01 + size))


@wrong("steepest-soft-margin")
def a_loss_that_comes_back(size):
    def change(facts, columns):
        columns["loss"] = np.where(columns["step"] > 900, 1 + size, 1) * columns["loss"]

    return flavors(change)


@wrong("steepest-soft-margin")
def loss_never_below(size):
    return flavors(lambda facts, columns: columns.update(loss=0 * columns["loss"] + size + 0.2))


@wrong("steepest-own-norm", "steepest-soft-margin")
def nothing_kept(size):
    def change(facts, columns):
        columns |= {"next_loss": columns["step"] * np.nan, "norm_l1": columns["step"] * np.nan}
        columns["margin"] = -columns["margin"]

    return flavors(change)


@example("steepest-own-norm")
def ahead_by(slack):
    """The own margin is ahead by slack in logarithm, with a little scatter."""

    def change(facts, columns):
        norm = columns["norm_l1"] * 0 + np.sqrt(columns["margin"])
        for _, name in NORMS.values():
            columns[name] = norm
        columns[NORMS[facts["stepsize"]][1]] = norm * np.exp(-slack / 2 + 1e-6 * facts["seed"])

    return flavors(change)


@wrong("steepest-own-norm")
def a_stranger_is_ahead(size):
    def change(facts, columns):
        if facts["descent"] == "sign descent":
            columns["param_norm"] = columns["param_norm"] / (2 + size)

    return flavors(change)


@wrong("steepest-own-norm")
def margins_exchanged(size):
    def change(facts, columns):
        if facts["descent"] == "coordinate descent":
            columns["norm_l1"] = columns["norm_l1"] * (1.2 + size)
            columns["norm_linf"] = columns["norm_linf"] / (1.2 + size)

    return flavors(change)


@wrong("steepest-own-norm")
def seeds_disagree(size):
    def change(facts, columns):
        own = NORMS[facts["stepsize"]][1]
        columns[own] = columns[own] * (1.3 + 2 * size if facts["seed"] == 1 else 1)

    return flavors(change)


def policies(power=-4.0, gain=100.0, constant=20.0, change=lambda facts, columns: None):
    """The normalized policy's loss falls like exp(-(t/50)^...), constants' like 1/t.

    gain, constant: how many times fewer evaluations to 1e-4 than the smallest stepsize's 10,000.
    """

    def begin(of, data, stepsize, seed):
        facts, columns = ideal(of, data, stepsize, seed)
        t = columns["step"]
        factor = {1: 1.0, 9: constant, 2: gain}[stepsize] * (1 + 1e-3 * seed)
        columns["loss"] = 1 / (1 + t * factor)
        columns["evaluations"] = t + 1.0
        if stepsize == 2:
            facts["policy"] = "loss-normalized"
            reaches = 1e4 / factor
            late = np.maximum(t / reaches, 1e-9)
            columns["loss"] = 1e-4 * late ** (power * np.maximum(1, 1 + np.log2(late) / 50))
        change(facts, columns)
        return facts, columns

    return build(POLICIES, seeds=(0, 1, 2), start=begin)


@example("loss-normalized-beats-powers")
def power(slack):
    def change(facts, columns):
        if facts["policy"] != "constant":
            t = np.maximum(columns["step"], 1)
            steep = -2 * (1 + slack) * np.where(t > 2**13, 1, 1 / 1.2 - 0.01)
            columns["loss"] = np.exp(np.cumsum(steep * np.diff(np.log(t), prepend=0)))

    return policies(change=change)


@wrong("loss-normalized-beats-powers")
def like_a_constant_stepsize(size):
    return policies(power=-1.9 * size)


@wrong("loss-normalized-beats-powers")
def steep_once_and_then_flat(size):
    def change(facts, columns):
        if facts["policy"] != "constant":
            t = np.maximum(columns["step"], 1.0)
            columns["loss"] = np.minimum(t, 4000.0) ** -2.5 * (1 - 0.1 * size)

    return policies(change=change)


@wrong("loss-normalized-beats-powers")
def a_bare_power(size):
    """Steep, but hardly steeper than before: a power of t."""

    def change(facts, columns):
        if facts["policy"] != "constant":
            t = np.maximum(columns["step"], 1.0)
            columns["loss"] = t ** -(2 + size) / np.maximum(t / 2**13, 1) ** 0.1

    return policies(change=change)


@wrong("loss-normalized-beats-powers")
def a_slope_off_by_a_fifth(size):
    """Ever steeper, up to -2 and no more."""

    def change(facts, columns):
        if facts["policy"] != "constant":
            t = np.maximum(columns["step"], 1.0)
            columns["loss"] = t**-1.2 / np.maximum(t / 2**13, 1) ** (0.4 * (1 - size))

    return policies(change=change)


@example("constant-has-half-the-gain")
def share(slack):
    return policies(gain=100.0, constant=100 ** (0.5 * (1 + slack)))


@wrong("constant-has-half-the-gain")
def constant_barely_gains(size):
    return policies(gain=100.0, constant=100 ** (0.45 * size))


@wrong("constant-has-half-the-gain")
def nobody_gets_there(size):
    def change(facts, columns):
        columns["loss"] = np.maximum(columns["loss"], 1e-3 * (1 + size))

    return policies(change=change)


@wrong("constant-has-half-the-gain")
def evaluations_counted_twice(size):
    """Of the best constant stepsize, which then has less than half of the gain."""

    def change(facts, columns):
        if facts["stepsize"] == 9:
            columns["evaluations"] = columns["evaluations"] * (2 + 4 * size)

    return policies(gain=100.0, constant=12.0, change=change)
