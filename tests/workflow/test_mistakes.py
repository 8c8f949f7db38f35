"""A mistake in the configuration is one line of Snakemake's output, and leaves nothing behind."""

import time

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


def _with_many(key: str, numbers: str):
    """The configuration with millions of numbers, at which Snakemake's own reader takes minutes."""

    def change(text: str) -> str:
        content = yaml.safe_load(text)
        content["experiments"]["xor"]["train"][key] = "@"
        head, _, tail = yaml.safe_dump(content).partition("'@'")
        return f"{head}[{numbers}]{tail}"

    return change


LONG = {
    "ten million stepsizes": _with_many("eta", ",".join(map(str, range(1, 10**7 + 1)))),
    "a million seeds": _with_many("seeds", ",".join(map(str, range(10**6)))),
    "a million equal seeds": _with_many("seeds", ",".join("1" * 10**6)),
}
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
}


@pytest.mark.parametrize("case", LONG)
def test_millions_of_numbers_are_refused_in_seconds(project, case):
    path = project.root / "tiny.yaml"
    path.write_text(LONG[case](path.read_text()))
    begun = time.monotonic()
    process = project.run("--cores", "1")
    assert time.monotonic() - begun < 10
    assert process.returncode != 0
    said = process.stdout.strip().splitlines()[-1]
    assert said.startswith("tiny.yaml: ") and "must " in said and len(said) < 200
    assert not (project.root / "results").exists()


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_configuration_is_one_line_and_writes_nothing(project, case):
    old, new, expected = HOSTILE[case]
    path = project.root / "tiny.yaml"
    text = path.read_text()
    path.write_text(text.replace(old, new, 1))
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
