"""Two phases, small and large stepsizes, test accuracy, Figure 4."""

import numpy as np
import pandas as pd
from constructed import STEPS, build, experiment, samples
from examples import diverged, example, fact, true, wrong
from true_runs import XOR as TRUE_XOR

from largestep.configuration.experiment import Experiment
from largestep.theory import thresholds

XOR = experiment("xor", [0.5])
PAIR = experiment("xor", [5.0, 10.0])
MLP = experiment("digits", [0.01, 0.2])
OSCILLATES = {"last_increase_step": 300, "increases": 9}


def pair(factor, seeds=(0,), of=PAIR, **facts_of_larger):
    """The larger stepsize's loss is `factor` (of the seed) times the smaller one's."""

    def change(facts, columns):
        if facts["stepsize"] == max(of.stepsizes):
            ratio = factor(facts["seed"]) if callable(factor) else factor
            columns["loss"] = columns["loss"] * ratio * max(of.stepsizes) / min(of.stepsizes)
            facts |= facts_of_larger

    return build(of, change, seeds=seeds)


# two-phases


@example("two-phases")
def last_increase(slack):
    def step(facts):
        s = facts["stable_phase_step"]
        return int(s * (1 - slack)) if slack > 0 else s + 1 + int(-slack * s)

    return fact(XOR, "last_increase_step", step)


@wrong("two-phases")
def one_step_raised_in_the_stable_phase(size):
    def change(facts, columns):
        s, last = facts["stable_phase_step"], int(columns["step"][-1])
        facts["last_increase_step"] = s + 1 + int(size * (last - s - 1))

    return true(TRUE_XOR, change)


@wrong("two-phases")
def an_mlp_whose_loss_increases_after_a_calm_octave(size):
    def change(facts, columns):
        facts |= {"last_increase_step": 100 + int(size * 1000), "increases": 1}

    return build(experiment("digits", [0.2]), change)


@wrong("two-phases")
def a_run_that_ends_as_its_stable_phase_begins(size):
    def change(facts, columns):
        calm = columns["step"] > STEPS / 2 * (0.6 + 0.3 * size)
        columns["margin"] = np.where(calm, 1.0, -1.0)
        facts |= OSCILLATES

    return build(experiment("digits", [0.2]), change)


@wrong("two-phases")
def divergence_in_the_stable_phase(size):
    def change(facts, columns):
        at = int(facts["stable_phase_step"] * (1 + size)) + 1
        facts |= OSCILLATES | {"status": "diverged", "status_step": at}

    return build(XOR, change)


# small-stepsize-monotone


def small_eta(slack):
    f = thresholds.smoothness(XOR.model, samples(XOR).X)
    return experiment(
        "xor", [2 / (f.rho2 / 4 + f.beta) / XOR.model.m * (1 - abs(slack) / 2 - 1e-9)]
    )


@example("small-stepsize-monotone")
def no_increase(slack):
    return fact(small_eta(slack), "increases", 0 if slack > 0 else 1)


@wrong("small-stepsize-monotone")
def a_few_increases(size):
    return fact(small_eta(0.1), "increases", 1 + int(9 * size))


@wrong("small-stepsize-monotone")
def a_small_stepsize_diverges(size):
    return diverged(small_eta(0.1), 1 + int(size * 1000))


@wrong("small-stepsize-monotone")
def an_mlp_with_a_twentieth_of_the_stepsize(size):
    def change(facts, columns):
        facts["increases"] = 3

    return build(experiment("digits", [0.2 / 20 * size, 0.2]), change)


@wrong("small-stepsize-monotone")
def the_large_stepsize_of_an_mlp_diverges_and_the_small_one_increases(size):
    def change(facts, columns):
        if facts["stepsize"] == 0.2:
            facts |= {"status": "diverged", "status_step": 1 + int(100 * size)}
        else:
            facts["increases"] = 1

    return build(MLP, change)


# larger-stepsize-lower-loss


@example("larger-stepsize-lower-loss")
def lower_loss(slack):
    return pair(1 - slack)


@wrong("larger-stepsize-lower-loss")
def stepsizes_exchanged(size):
    """True losses, but those of the small stepsize stand where those of the large should."""
    stepsizes = TRUE_XOR.stepsizes
    # From the phase in which the order is clear; the last step is what is compared.
    last = {}
    true(TRUE_XOR, lambda facts, columns: last.update({facts["stepsize"]: columns["loss"]}))
    swapped = dict(zip(stepsizes, reversed(stepsizes), strict=True))

    def change(facts, columns):
        columns["loss"] = last[swapped[facts["stepsize"]]].copy()

    return true(TRUE_XOR, change)


@wrong("larger-stepsize-lower-loss")
def a_little_higher(size):
    return pair(1 + size)


@wrong("larger-stepsize-lower-loss")
def seeds_that_differ(size):
    return pair(lambda seed: (0.9 - 0.4 * size, 1.05 + size, 1.1)[seed], seeds=(0, 1, 2))


@wrong("larger-stepsize-lower-loss")
def the_larger_stepsize_diverges(size):
    return pair(0.5, status="diverged", status_step=1 + int(size * STEPS / 2))


@wrong("larger-stepsize-lower-loss")
def the_stable_phase_has_not_begun(size):
    def change(facts, columns):
        facts["stable_phase_step"] = None
        columns["margin"] = -columns["margin"]

    return build(PAIR, change)


# larger-stepsize-higher-test-accuracy


def gap(mean, noise=1e-5, seeds=(0, 1, 2), outside=None):
    """The large stepsize's lead in test accuracy, in seeds that differ by `noise`."""

    def change(facts, columns):
        facts["separation_step"] = 1000
        lead = mean + noise * (facts["seed"] - 1)
        if facts["stepsize"] == 0.2:
            facts["last_increase_step"] = 50
            inside = (columns["step"] > 50) & (columns["step"] <= 1000)
            more = np.where(inside, lead, lead if outside is None else outside)
            columns["test_accuracy"] = columns["test_accuracy"] + more

    return build(MLP, change, seeds=seeds)


@example("larger-stepsize-higher-test-accuracy")
def test_accuracy_leads(slack):
    return gap(slack / 10)


test_accuracy_leads.__test__ = False


@wrong("larger-stepsize-higher-test-accuracy")
def behind(size):
    return gap(-0.05 * size)


@wrong("larger-stepsize-higher-test-accuracy")
def within_seed_noise(size):
    return gap(0.01 * size, noise=0.02)


@wrong("larger-stepsize-higher-test-accuracy")
def one_seed(size):
    return gap(0.05 * size, seeds=(0,))


@wrong("larger-stepsize-higher-test-accuracy")
def ahead_at_convergence_only(size):
    return gap(-0.01 * size, outside=0.05)


# Figure 3


IMAGES = Experiment.model_validate(
    {
        "dataset": {"source": "digits", "classes": "odd_even", "n": 20, "seed": 0},
        "model": {
            "kind": "two_layer",
            "width": 10,
            "activation": {"name": "leaky_softplus", "c": 0.5},
        },
        "train": {"eta": [5, 10], "seeds": [0], "steps": STEPS},
    }
)


def last_gap(lead, seeds=(0, 1, 2), noise=1e-5, before=None, **facts_of_larger):
    """The larger stepsize's lead in the end, and at all earlier steps."""

    def change(facts, columns):
        if facts["eta"] == 10:
            more = np.full(len(columns["step"]), lead if before is None else before)
            more[-1] = lead + noise * (facts["seed"] - 1)
            columns["test_accuracy"] = columns["test_accuracy"] + more
            facts |= facts_of_larger

    return build(IMAGES, change, seeds=seeds)


@example("fig3-test-accuracy")
def ends_ahead(slack):
    return last_gap(slack / 10)


@wrong("fig3-test-accuracy")
def ends_behind(size):
    return last_gap(-0.05 * size, before=0.05)


@wrong("fig3-test-accuracy")
def the_lead_is_within_seed_noise(size):
    return last_gap(0.01 * size, noise=0.02)


@wrong("fig3-test-accuracy")
def a_single_seed_is_ahead(size):
    return last_gap(0.05 * size, seeds=(0,))


@wrong("fig3-test-accuracy")
def the_larger_one_diverges(size):
    return last_gap(0.05, status="diverged", status_step=1 + int(size * STEPS / 2))


# test-accuracy-at-equal-loss, test-accuracy-in-the-end


def by_loss(lead, seeds=(0, 1, 2), noise=1e-5, early=0.0):
    """Test accuracy is a function of the loss, and the large stepsize's is higher by `lead`; the
    small one, late as it is, has the lower one at equal steps. `early`: more lead before its last
    increase, which must not count."""

    def change(facts, columns):
        large = facts["stepsize"] == 0.2
        of_loss = 0.5 - 0.02 * np.log(columns["loss"])
        lead_now = lead + noise * (facts["seed"] - 1)
        if large:
            facts["last_increase_step"] = 50
            of_loss = of_loss + np.where(columns["step"] <= 50, early, lead_now)
        columns["test_accuracy"] = of_loss

    return build(MLP, change, seeds=seeds)


@example("test-accuracy-at-equal-loss")
def ahead_at_equal_loss(slack):
    return by_loss(slack / 10)


@wrong("test-accuracy-at-equal-loss")
def ahead_for_being_faster_alone(size):
    return by_loss(-0.01 * size)


@wrong("test-accuracy-at-equal-loss")
def ahead_only_while_it_oscillates(size):
    return by_loss(-0.001, early=0.5 * size)


@wrong("test-accuracy-at-equal-loss")
def ahead_within_seed_noise(size):
    return by_loss(0.01 * size, noise=0.02)


@wrong("test-accuracy-at-equal-loss")
def ahead_in_one_seed(size):
    return by_loss(0.05 * size, seeds=(0,))


def end_gap(lead, seeds=(0, 1, 2), noise=1e-5, before=0.0, **facts_of_smaller):
    """The large stepsize's lead in the end, and at all earlier steps."""

    def change(facts, columns):
        if facts["stepsize"] == 0.2:
            more = np.full(len(columns["step"]), before)
            more[-1] = lead + noise * (facts["seed"] - 1)
            columns["test_accuracy"] = columns["test_accuracy"] + more
        else:
            facts |= facts_of_smaller

    return build(MLP, change, seeds=seeds)


@example("test-accuracy-in-the-end")
def ahead_in_the_end(slack):
    return end_gap(slack / 10)


@wrong("test-accuracy-in-the-end")
def behind_in_the_end(size):
    return end_gap(-0.05 * size, before=0.05)


@wrong("test-accuracy-in-the-end")
def the_end_is_within_seed_noise(size):
    return end_gap(0.01 * size, noise=0.02)


@wrong("test-accuracy-in-the-end")
def the_small_one_has_not_fitted(size):
    return end_gap(0.05 * size, separation_step=None)


# Figure 4


FIVE_POINTS = experiment(
    "five_points",
    [1.5],
    model__output_weights=[0.5, -0.5],
    model__width=2,
    train__record={"neurons": True},
)


def neuron_margins(first, second, change=None):
    step = np.tile([0, 1, STEPS], 2)
    margin = np.array([np.nan, -0.5, first, np.nan, -0.4, second])
    table = {"seed": 0, "stepsize": FIVE_POINTS.stepsizes[0], "step": step, "neuron_margin": margin}
    return build(FIVE_POINTS, change, neurons=pd.DataFrame(table))


@example("fig4-neurons")
def neurons_misclassify(slack):
    return neuron_margins(-0.1, -slack)


@wrong("fig4-neurons")
def one_neuron_classifies_in_the_end(size):
    return neuron_margins(-0.1, 0.05 * size)


@wrong("fig4-neurons")
def output_signs_exchanged(size):
    return neuron_margins(0.1 * size, 0.2)


@wrong("fig4-neurons")
def no_neuron_was_recorded(size):
    return neuron_margins(np.nan, np.nan, lambda f, c: f.update(status="frozen", status_step=1))


def network_margin(path):
    def change(facts, columns):
        at = np.linspace(0, 1, len(columns["step"]))
        columns["normalized_margin"] = np.interp(at, np.linspace(0, 1, len(path)), path)

    return build(FIVE_POINTS, change)


@example("fig4-network")
def network_classifies(slack):
    return network_margin([-0.1, slack])


@wrong("fig4-network")
def saturates_below_zero(size):
    return network_margin([-0.1, -0.02 * size, -0.01 * size])


@wrong("fig4-network")
def starts_above_zero(size):
    return network_margin([0.001 * size, 0.02])


@wrong("fig4-network")
def rises_and_falls_back(size):
    return network_margin([-0.1, 0.02, 0.01 * (1 - size) * 0.9])
