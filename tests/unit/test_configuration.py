"""The configuration: what it means, and that every mistake in it is one clear line."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from largestep.common.errors import UserError
from largestep.configuration import reading
from largestep.configuration.config import Config
from largestep.configuration.experiment import Experiment, Train
from largestep.configuration.variants import differences

CONFIGS = Path(__file__).parents[2] / "config"
DEMO = yaml.safe_load((CONFIGS / "demo.yaml").read_text())


def mistake(content) -> str:
    with pytest.raises(UserError) as caught:
        reading.parse(content, "my.yaml")
    return str(caught.value)


def changed(path: str, value):
    """The demo configuration with one key set."""
    content = copy.deepcopy(DEMO)
    *parents, last = path.split(".")
    place = content
    for key in parents:
        place = place[key]
    place[last] = value
    return content


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.name)
def test_every_shipped_configuration_is_read(file):
    config = reading.parse(reading.read_yaml(file), str(file))
    assert config.name == file.stem


def test_json_round_trip():
    for experiment in reading.parse(DEMO, "demo").experiments.values():
        assert Experiment.model_validate_json(reading.to_json(experiment)) == experiment


def test_eta_and_stepsize_are_two_names_of_one_step():
    config = reading.parse(DEMO, "demo")
    xor, fig4, mlp = (config.experiments[name] for name in ("fig2_xor", "fig4", "fig1_digits"))
    assert xor.etas == (1, 5, 10, 20, 30, 50)
    assert xor.stepsizes == (20, 100, 200, 400, 600, 1000)
    assert fig4.stepsizes == (3.0,) and fig4.etas == (1.5,)
    assert mlp.etas == (None, None)


def test_jobs_group_seeds():
    train = Train(eta=[1], seeds=[0, 1, 2, 3, 7], seeds_per_job=2, steps=1)
    assert train.jobs == {"0-1": (0, 1), "2-3": (2, 3), "7": (7,)}
    assert Train(eta=[1], seeds=[4, 9], seeds_per_job=5, steps=1).jobs == {"4_9": (4, 9)}


XOR = "experiments.fig2_xor"
MISTAKES = [
    ("nmae", 1, "nmae: is not a known key"),
    (f"{XOR}.train.stepps", 1, "train.stepps: is not a known key"),
    (f"{XOR}.train.steps", "many", "train.steps: must be a valid integer (got 'many')"),
    (f"{XOR}.train.steps", "1e5", "write 100000"),
    (f"{XOR}.train.steps", 0, "train.steps: must be greater than or equal to 1"),
    (f"{XOR}.train.eta", [], "train.eta: must have 1 or more entries"),
    (f"{XOR}.train.eta", [1, -2], "train.eta[1]: must be greater than 0 (got -2)"),
    (f"{XOR}.train.eta", [float("nan")], "train.eta[0]: must be a finite number"),
    (f"{XOR}.train.eta", 3, "train.eta: must be a list (got 3)"),
    (f"{XOR}.train.eta", [2, 2], "train.eta: values must differ"),
    (f"{XOR}.train.eta", [1.0] * 10**6, "train.eta: must have 20000 or fewer entries"),
    (f"{XOR}.train.stepsize", [1], "train.stepsize: give exactly one of eta, stepsize"),
    (f"{XOR}.train.dtype", "float16", "train.dtype: must be 'float32' or 'float64'"),
    (f"{XOR}.model.width", 21, "model.width: must be even"),
    (
        f"{XOR}.model.kind",
        "cnn",
        "model.kind: must be one of 'two_layer', 'two_layer_both', 'mlp', 'gated' (got 'cnn')",
    ),
    (f"{XOR}.model.activation.name", "relu6", "model.activation.name: must be one of 'softplus'"),
    (f"{XOR}.model.initial_weights", "ones", "model.initial_weights: must be standard_normal"),
    (f"{XOR}.dataset.source", "svhn", "dataset.source: must be one of 'xor'"),
    ("experiments.fig1_digits.train.eta", [1], "train.stepsize: give exactly one"),
    (f"{XOR}.figure", {"panels": ["losss"]}, "figure.panels[0]: must be 'loss'"),
    (f"{XOR}.figure", {"title": "a\x01"}, "figure.title: must have no control characters"),
    ("data_root", "a\nb", "data_root: must match"),
    (f"{XOR}.model.initial_weights", "a\0.npy", "model.initial_weights: must be standard_normal"),
    (f"{XOR}.figure", {"panels": ["test_accuracy"]}, "test_accuracy needs test data"),
    (f"{XOR}.train.record", {"snapshots": 5}, "train.record.snapshots: must be 0, 1, 2, 4, 8"),
    (f"{XOR}.train.record", {}, "fig2_xor.sharpness: needs train.record.snapshots"),
    (f"{XOR}.sharpness", None, "figure.panels: sharpness needs the experiment's sharpness: {}"),
    (f"{XOR}.sharpness.products", 3, "sharpness.products: must be greater than or equal to 50"),
    (f"{XOR}.flow", None, "figure.panels: flow needs the experiment's flow: {}"),
    (f"{XOR}.flow.evaluations", 3, "flow.evaluations: must be greater than or equal to 100"),
    ("name", "../x", "name: must match"),
    ("name", "/tmp/x", "name: must match"),
    ("name", "x" * 10**7, "name: must match"),
    ("device", "gpu", "device: must be 'auto', 'cpu' or 'cuda' (got 'gpu')"),
    ("experiments", {"../x": DEMO["experiments"]["fig2_xor"]}, "experiments.../x: must match"),
    ("experiments", {}, "experiments: must have 1 or more entries"),
    ("experiments", None, "experiments: must be a mapping (got None)"),
]


@pytest.mark.parametrize(("path", "value", "expected"), MISTAKES)
def test_mistakes_are_named(path, value, expected):
    message = mistake(changed(path, value))
    assert message.startswith("my.yaml: ") and expected in message
    assert "\n" not in message and len(message) < 500


def places(content, prefix=()):
    """Every path into a nested mapping."""
    for key, value in content.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from places(value, (*prefix, key))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@settings(max_examples=300)
@given(st.sampled_from(sorted(places(DEMO))), anything, st.booleans())
def test_mutated_configurations_are_read_or_refused_in_one_line(path, value, delete):
    content = copy.deepcopy(DEMO)
    place = content
    for key in path[:-1]:
        place = place[key]
    if delete:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    try:
        reading.parse(content, "my.yaml")
    except UserError as error:
        assert str(error).startswith("my.yaml: ")
        assert "\n" not in str(error)


# Variants and comparisons


def family(**parts) -> dict:
    """A configuration of one experiment and whatever else is given."""
    base = {
        "dataset": {"source": "xor"},
        "model": {"kind": "two_layer", "width": 4, "activation": {"name": "leaky_softplus"}},
        "train": {"eta": [1, 2], "seeds": [0], "steps": 10},
        "figure": {"title": "Base", "paper": "it falls", "ours": "width 4"},
    }
    experiments = {"base": base, **parts.pop("experiments", {})}
    return {"name": "family", "experiments": experiments, **parts}


def variant(**changes) -> Experiment:
    changed = family(experiments={"other": {"variant_of": "base", **changes}})
    return reading.parse(changed, "test").experiments["other"]


def test_a_variant_is_its_base_with_the_keys_given_changed():
    base = reading.parse(family(), "test").experiments["base"]
    small = variant(model={"scale": 0.5}, train={"seeds": [1]})
    assert small.model == base.model.model_copy(update={"scale": 0.5})
    assert small.train == base.train.model_copy(update={"seeds": (1,)})
    assert (small.figure.title, small.figure.paper, small.figure.ours) == ("", "it falls", "")
    assert differences(base, small) == ["model.scale: 0.5", "train.seeds: [1]"]


def test_a_part_of_another_name_is_replaced_not_mixed():
    gelu = variant(model={"activation": {"name": "gelu"}})
    assert gelu.model.activation.name == "gelu" and gelu.model.width == 4
    points = variant(dataset={"source": "five_points"})
    assert points.dataset.source == "five_points"


def test_a_variant_survives_the_way_through_json():
    config = reading.parse(
        family(
            experiments={"other": {"variant_of": "base", "train": {"eta": None, "stepsize": [3]}}},
        ),
        "test",
    )
    assert Config.model_validate_json(reading.to_json(config)) == config
    shown = config.only("other")
    assert shown.experiments["other"].stepsizes == (3.0,) and len(shown.experiments) == 1


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"experiments": {"b": {"variant_of": "c"}}}, "experiments.b.variant_of: must be another"),
        ({"experiments": {"b": {"variant_of": "b"}}}, "experiments.b.variant_of: must be another"),
        ({"experiments": {"b": {"variant_of": 3}}}, r"variant_of: must be another .* \(got 3\)"),
        (
            {"experiments": {"b": {"variant_of": "base"}, "c": {"variant_of": "b"}}},
            r"experiments.c.variant_of: must be .* no variant itself \(got 'b'\)",
        ),
        (
            {"experiments": {"b": {"variant_of": "base", "train": {"stepsize": [1]}}}},
            "experiments.b.train.stepsize: give exactly one",
        ),
        (
            {"experiments": {"b": {"variant_of": "base", "model": {"widht": 2}}}},
            "experiments.b.model.widht: is not a known key",
        ),
        (
            {"comparisons": {"base": {"experiments": {"base": "", "b": ""}}}},
            "comparisons.base: is also the name of an experiment",
        ),
        (
            {"comparisons": {"all": {"experiments": {"base": "", "b": ""}}}},
            "comparisons.all.experiments: b is not an experiment",
        ),
        ({"comparisons": {"all": {"experiments": {"base": ""}}}}, "must have 2 or more entries"),
        (
            {
                "experiments": {"b": {"variant_of": "base", "train": {"eta": [1]}}},
                "comparisons": {"all": {"experiments": {"base": "", "b": ""}}},
            },
            "comparisons.all.experiments: b has other stepsizes",
        ),
        (
            {
                "experiments": {"b": {"variant_of": "base"}},
                "comparisons": {
                    "all": {"experiments": {"base": "", "b": ""}, "panels": ["sharpness"]}
                },
            },
            r"comparisons.all.panels: sharpness needs .* \(experiment base\)",
        ),
    ],
)
def test_mistakes_in_variants_and_comparisons_are_one_line(parts, message):
    with pytest.raises(UserError, match=message) as error:
        reading.parse(family(**parts), "test")
    assert "\n" not in str(error.value)


def test_experiments_with_other_stepsizes_are_compared_where_these_are_on_an_axis():
    parts = {
        "experiments": {"b": {"variant_of": "base", "train": {"eta": [1]}}},
        "comparisons": {
            "all": {"experiments": {"base": "", "b": ""}, "panels": ["theory_transition"]}
        },
    }
    assert reading.parse(family(**parts), "test").comparisons["all"].experiments


def methods(*given: dict, **others) -> dict:
    """An experiment with several methods."""
    train = {"methods": list(given), "seeds": [0], "steps": 5, **others}
    return {"dataset": {"source": "xor"}, "model": DEMO["experiments"]["fig2_xor"]["model"]} | {
        "train": train
    }


SIGN = {"direction": {"name": "sign"}, "stepsize": [0.1]}
ARMIJO = {"policy": {"name": "armijo"}, "eta": [1, 2]}
POLYAK = {"policy": {"name": "polyak"}}


def test_several_methods_are_experiments_with_one_each():
    experiment = Experiment.model_validate(methods(SIGN, ARMIJO, POLYAK))
    assert [each.train.direction.name for each in experiment.apart] == ["sign"] + 2 * ["gradient"]
    assert experiment.stepsizes == (0.1, 20, 40, None)
    assert experiment.policies == sum((each.policies for each in experiment.apart), ())
    assert experiment.etas == (0.1 / 20, 1, 2, None)
    assert not experiment.train.papers
    assert Experiment.model_validate_json(reading.to_json(experiment)) == experiment


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (methods(SIGN, ARMIJO, eta=[1]), "train.eta: belongs to each of methods"),
        (methods(SIGN, ARMIJO, direction={"name": "sign"}), "train.direction: belongs to each"),
        (methods(SIGN), "train.methods: must have 2 or more entries"),
        (methods(SIGN, SIGN), "train.methods[1]: has a run that an earlier method has as well"),
        (methods(SIGN, {"eta": [2], "stepsize": [1]}), "train.methods[1].stepsize: give exactly"),
        (methods(SIGN, POLYAK | {"eta": [1]}), "train.methods[1].eta: the policy polyak has no"),
        (methods(SIGN, {"steps": 3, "eta": [1]}), "train.methods[1].steps: is not a known key"),
    ],
)
def test_mistakes_in_several_methods_are_one_line(train, said):
    content = {"name": "a", "experiments": {"e": train}}
    assert mistake(content).startswith(f"my.yaml: experiments.e.{said}")


@pytest.mark.parametrize("name", ["store", "data", "Benchmarks"])
def test_a_run_does_not_take_a_folder_that_results_has(name):
    assert "must be another name than" in mistake(changed("name", name))


def test_names_differ_by_more_than_case():
    """Their files would be the same on many a disk."""
    content = copy.deepcopy(DEMO)
    first = next(iter(content["experiments"]))
    content["experiments"][first.upper()] = content["experiments"][first]
    assert "names must differ by more than case" in mistake(content)


def test_every_count_of_cores_that_snakemake_takes_is_estimated(tmp_path):
    command = [sys.executable, "-m", "largestep.stages.estimate", "--cores", "all", "--help"]
    assert subprocess.run(command, capture_output=True).returncode == 0
