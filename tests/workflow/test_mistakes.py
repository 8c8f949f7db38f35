"""A mistake in the configuration is one line of Snakemake's output, and leaves nothing behind."""

import pytest

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
