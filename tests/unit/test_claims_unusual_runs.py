"""Verdicts where a run is unusual: no threshold, missing values, divergence, rounding, ties."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from constructed import STEPS, build, experiment, frames, samples
from examples_beyond import POLICIES, flavors
from examples_sharpness import level, sharp
from true_runs import XOR as TRUE_XOR
from true_runs import run as true_run

from largestep.claims import ledger
from largestep.claims.registered import CLAIMS
from largestep.claims.verdicts import Verdict
from largestep.configuration.config import Config
from largestep.configuration.experiment import Sharpness

CLAIM = {claim.id: claim for claim in CLAIMS}


def found(claim: str, study) -> list:
    return list(CLAIM[claim].check(study))


def verdicts(claim: str, study) -> set[Verdict]:
    return {finding.verdict for finding in found(claim, study)}


@pytest.mark.parametrize("source", ["xor", "margin"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_theorem_2_2_says_nothing_of_activations_with_a_kink(source, activation):
    """They have no threshold."""
    name = {"name": activation} | ({"c": 0.5} if activation == "leaky_relu" else {})
    study = build(experiment(source, [5.0], model__activation=name))
    assert study.runs[0].facts["stable_threshold"] is None
    for claim in CLAIMS:
        if claim.about_runs and claim.reads(study.experiment):
            list(claim.check(study))
    (descent,) = found("thm22-descent", study)
    assert descent.verdict is Verdict.NOT_APPLICABLE
    assert "kink" in descent.note


def test_a_loss_too_large_for_a_modified_margin_contradicts_theorem_2_2():
    def back_up(facts, columns):
        columns["loss"] = np.where(columns["step"] == columns["step"][-1], 1.0, columns["loss"])

    study = build(TRUE_XOR, back_up, start=true_run)
    assert verdicts("thm22-modified-margin", study) == {Verdict.VIOLATED}


@pytest.mark.parametrize("unkept", ["gradient", "sign descent", "coordinate descent"])
def test_own_norms_are_compared_where_the_weights_were_kept(unkept):
    def frozen(facts, columns):
        if facts["descent"] == unkept:
            facts |= {"status": "frozen", "status_step": 2**13 + 1}
            kept = columns["step"] & (columns["step"] - 1) == 0
            for name in ("norm_l1", "norm_linf"):
                columns[name] = np.where(kept, columns[name], np.nan)

    assert verdicts("steepest-own-norm", flavors(frozen)) == {Verdict.HOLDS}


def test_a_method_none_of_whose_weights_were_kept_leaves_own_norms_open():
    def nothing(facts, columns):
        if facts["descent"] == "coordinate descent":
            columns["norm_l1"] = columns["norm_linf"] = columns["step"] * np.nan

    assert verdicts("steepest-own-norm", flavors(nothing)) == {Verdict.INCONCLUSIVE}


def test_own_norms_are_compared_at_each_method_s_lowest_loss():
    study = flavors()

    def worse(run):  # a larger stepsize of the same method that ended nowhere
        rows = run.rows.assign(loss=run.rows["loss"] * 9, norm_linf=1e-3 * run.rows["norm_linf"])
        return replace(run, facts=dict(run.facts) | {"stepsize": 50.0}, rows=rows)

    more = tuple(worse(run) for run in study.runs if run.facts["descent"] == "gradient")
    both = replace(study, runs=(*study.runs, *more))
    assert verdicts("steepest-own-norm", both) == {Verdict.HOLDS}


def test_a_soft_margin_lost_for_a_while_is_called_so():
    def back_up(facts, columns):
        columns["loss"] = np.where(columns["step"] == STEPS // 2, 0.6, columns["loss"])

    (note,) = {finding.note for finding in found("steepest-soft-margin", flavors(back_up))}
    assert "came back above 1 / n" in note
    assert verdicts("steepest-soft-margin", flavors(back_up)) == {Verdict.INCONCLUSIVE}


def test_an_octave_missed_does_not_make_a_power_steeper():
    def slow(facts, columns):
        t = columns["step"]
        columns["loss"] = 0.1 * (t + 1.0) ** -1.2
        columns["margin"] = np.where(t == 2**13, -1.0, 1.0)

    study = build(POLICIES, slow, seeds=(0,))
    assert Verdict.HOLDS not in verdicts("loss-normalized-beats-powers", study)


def test_other_methods_that_diverged_have_no_say_in_a_method_s_claim():
    def diverges(facts, columns):
        if facts["policy"] == "constant":
            facts |= {"status": "diverged", "status_step": 40}

    of = POLICIES
    told = found("loss-normalized-beats-powers", _by_policy(of, diverges))
    assert told and all(finding.stepsize == 2 for finding in told)

    def sign_diverges(facts, columns):
        facts |= {"policy": "Polyak"}

    assert not found("steepest-soft-margin", flavors(sign_diverges))


def _by_policy(of, change):
    """Runs with the policies configured, as `frames` calls all of them constant."""
    labels = dict(zip(of.stepsizes, of.policies, strict=True))

    def named(facts, columns):
        facts["policy"] = labels[facts["stepsize"]].label
        change(facts, columns)

    return build(of, named, seeds=(0, 1, 2))


def test_a_diverged_run_without_a_stepsize_can_be_written_down():
    of = experiment("digits", [0.01])
    trajectories, runs = frames(of)
    trajectories["stepsize"], trajectories["policy"] = np.nan, "Polyak"
    trajectories = trajectories.assign(sharpness=1.0, margin=-1.0)
    runs = runs.assign(stepsize=np.nan, policy="Polyak", status="diverged", status_step=40)
    study = ledger.study("polyak", of, samples(of), trajectories, runs, pd.DataFrame())
    (finding,) = found("eos-stable", study)
    assert finding.stepsize is None
    assert "the Polyak policy diverged at step 40" in finding.note
    config = Config.model_validate({"name": "x", "experiments": {"polyak": of}})
    written = ledger.entry(CLAIM["eos-stable"], [("polyak", finding)], config)
    assert json.dumps(written, allow_nan=False)


def test_a_calm_octave_above_the_threshold_is_not_theorem_2_2_s_phase():
    def bumps(facts, columns):
        facts |= {"stable_phase_step": None, "last_increase_step": 1000, "increases": 1}

    study = build(experiment("xor", [0.5]), bumps)
    assert study.runs[0].calm_step
    (finding,) = found("two-phases", study)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "not yet under the threshold" in finding.note


@pytest.mark.parametrize(("ratio", "tolerance"), [(0.995, 0.01), (0.9, 0.2)])
def test_an_eigenvalue_within_its_tolerance_of_the_bound_decides_nothing(ratio, tolerance):
    of = experiment("digits", [0.01])
    rough = of.model_copy(update={"sharpness": Sharpness(tolerance=tolerance)})
    assert verdicts("eos-stable", sharp(level(ratio), rough)) == {Verdict.INCONCLUSIVE}
    exact = of.model_copy(update={"sharpness": Sharpness(tolerance=1e-6)})
    assert verdicts("eos-stable", sharp(level(ratio), exact)) == {Verdict.HOLDS}


def test_an_increase_near_the_bound_is_within_the_eigenvalue_s_tolerance():
    of = experiment("digits", [0.01]).model_copy(update={"sharpness": Sharpness(tolerance=0.01)})
    rises = {"last_increase_step": 20, "increases": 9}
    assert verdicts("eos-unstable", sharp(level(0.995), of, **rises)) == {Verdict.INCONCLUSIVE}
    assert verdicts("eos-unstable", sharp(level(0.98), of, **rises)) == {Verdict.VIOLATED}


def test_the_sharpness_after_the_last_increase_tells_what_came_before_it():
    def ratio(step):
        return np.where(step < 1000, 0.88, np.where(step < 1030, 0.9, 1.3))

    study = sharp(ratio, experiment("digits", [0.01]), last_increase_step=1030, increases=9)
    assert verdicts("eos-unstable", study) == {Verdict.INCONCLUSIVE}


def test_a_diverged_run_with_sharpness_has_one():
    study = sharp(level(0.5), experiment("digits", [0.01]), status="diverged", status_step=40)
    assert not study.runs
    assert verdicts("eos-unstable", study) == {Verdict.INCONCLUSIVE}


def test_a_drawdown_of_a_frozen_run_is_left_open():
    drawn = {"gamma_a_drawdown": 1e-3, "gamma_b_drawdown": 1e-1}

    def frozen(facts, columns):
        facts |= {"status": "frozen", "status_step": STEPS - 10} | drawn

    study = build(experiment("xor", [0.5]), frozen)
    going = build(experiment("xor", [0.5]), lambda facts, columns: facts.update(drawn))
    for claim in ("thm22-gamma-a", "thm22-gamma-b"):
        assert verdicts(claim, study) == {Verdict.INCONCLUSIVE}, claim
        assert verdicts(claim, going) == {Verdict.VIOLATED}, claim


def test_weights_that_rounding_held_back_contradict_no_count():
    def held(facts, columns):
        columns["running_mean_slope"] = np.where(columns["step"] > 0, 1e9, np.nan)

    def held_back(facts, columns):
        held(facts, columns)
        columns["moving_fraction"] = np.full(len(columns["step"]), 0.01)

    of = experiment("margin", [64.0])
    assert verdicts("thm41-count", build(of, held)) == {Verdict.VIOLATED}
    assert verdicts("thm41-count", build(of, held_back)) == {Verdict.INCONCLUSIVE}


def test_where_every_large_stepsize_diverged_the_note_says_so():
    def diverges(facts, columns):
        if facts["stepsize"] == 0.2:
            facts |= {"status": "diverged", "status_step": 7}

    study = build(experiment("digits", [0.01, 0.2]), diverges, seeds=(0, 1))
    for claim in ("larger-stepsize-higher-test-accuracy", "test-accuracy-in-the-end"):
        (finding,) = found(claim, study)
        assert "diverged: 0.2" in finding.note, claim


def test_data_fitted_at_step_0_are_fitted():
    def change(facts, columns):
        facts["separation_step"] = 0
        if facts["stepsize"] == 0.2:  # ahead late, when the claim says nothing
            late = columns["step"] > 1000
            columns["test_accuracy"] = columns["test_accuracy"] + np.where(late, 0.05, 0.0)

    study = build(experiment("digits", [0.01, 0.2]), change, seeds=(0, 1, 2))
    claim = "larger-stepsize-higher-test-accuracy"
    assert verdicts(claim, study) == {Verdict.INCONCLUSIVE}
    (end,) = found("test-accuracy-in-the-end", study)
    assert "has not fitted" not in end.note
    assert math.isclose(end.measured, 0.05)
