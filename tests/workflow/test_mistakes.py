"""A mistake in the configuration is one line of Snakemake's output, and leaves nothing behind."""

import json

import pytest
import yaml

DIGITS = {"source": "digits", "classes": "odd_even", "n": 60}

MISTAKES = {
    "unknown key": ({"trian": {}}, {}, "experiments.xor.trian: is not a known key"),
    "too many samples": (
        {"dataset": DIGITS | {"n": 5000}},
        {},
        "experiments.xor.dataset.n: must be at most 1438 (got 5000)",
    ),
    "no such folder": (
        {"dataset": {"source": "image_folder", "root": "nowhere", "classes": ["a", "b"]}},
        {},
        "experiments.xor.dataset.root: ",
    ),
    "weights of the wrong shape": (
        {
            "model": {
                "kind": "two_layer",
                "output_weights": [0.5, -0.5],
                "activation": {"name": "gelu"},
                "initial_weights": [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]],
            }
        },
        {},
        "experiments.xor.model.initial_weights: must be of shape 2x2 (got 2x3)",
    ),
    "no such data root": ({}, {"DATA": "/nowhere"}, "DATA=/nowhere: must be an existing folder"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(project, mistake):
    change, environment, expected = MISTAKES[mistake]
    project.content["experiments"] = {"xor": project.content["experiments"]["xor"] | change}
    project.configure()
    process = project.run("--cores", "1", environment=environment)
    assert process.returncode != 0
    said, *others = reversed(process.stdout.strip().splitlines())
    assert expected in said and (said.startswith(("tiny.yaml: ", "DATA=")))
    assert all(line.startswith("Using workflow specific profile") for line in others)
    assert not (project.root / "results").exists()


def _many_stepsizes(text: str) -> str:
    """Ten million of them; as JSON, which Snakemake reads in seconds where YAML takes minutes."""
    content = yaml.safe_load(text)
    content["experiments"]["xor"]["train"]["eta"] = [*range(1, 10**7 + 1)]
    return json.dumps(content)


LONG = "ten million stepsizes"
HOSTILE = {
    "name that climbs out": ("name: tiny", "name: ../../x", "tiny.yaml: name: must match"),
    "absolute name": ("name: tiny", "name: /tmp/x", "tiny.yaml: name: must match"),
    "experiment that climbs out": ("xor:", "../x:", "tiny.yaml: experiments.../x: must match"),
    "object of Python's": (
        "name: tiny",
        "name: !!python/object/apply:os.mkdir [results]",
        "must have no tags",
    ),
    "template": ("name: tiny", "__use_yte__: true\nname: tiny", "must have no templates"),
    "alias": ("name: tiny", "name: &a tiny\nx: *a", "must have no anchors"),
    "text of 10 MB": ("name: tiny", f"name: {'x' * 10**7}", "must be at most 4,194,304 bytes"),
    "text of 1 MB": ("name: tiny", f"name: {'x' * 10**6}", "tiny.yaml: name: must match"),
    "key of 1 MB": ("name:", f"? {'x' * 10**6}\n: 1\nname:", "xxx...: is not a known key"),
    LONG: (None, None, "must be at most 4,194,304 bytes"),
}


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=pytest.mark.slow if c == LONG else ()) for c in HOSTILE]
)
def test_a_hostile_configuration_is_one_line_and_writes_nothing(project, case):
    old, new, expected = HOSTILE[case]
    path = project.root / "tiny.yaml"
    text = path.read_text()
    path.write_text(text.replace(old, new, 1) if old else _many_stepsizes(text))
    around = _files(project.root.parent)
    process = project.run("--cores", "1")
    assert process.returncode != 0
    said = process.stdout.strip().splitlines()[-1]
    assert expected in said and len(said) < 300
    assert "Traceback" not in process.stdout
    assert _files(project.root.parent) == around


def _files(folder):
    """Everything under a folder but what Python and Snakemake keep for themselves."""
    own = {"__pycache__", ".snakemake"}
    return {path for path in folder.rglob("*") if not own & set(path.parts)}
