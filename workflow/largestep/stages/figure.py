"""Draw one figure as SVG, PDF and PNG."""

import argparse
import json
from importlib import import_module
from pathlib import Path

from largestep.common.errors import UserError
from largestep.common.files import replacing
from largestep.configuration.config import Config
from largestep.report import figures, style
from largestep.report.panels.curves import Scene
from largestep.results import tables
from largestep.results.best import best_of_each
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    def scene(name: str) -> Scene:
        paths = (*arguments.trajectories, arguments.runs, *arguments.neurons)
        *rows, neurons = (tables.read(path, experiment=name) for path in paths)
        for path, frame in zip(paths, rows, strict=False):
            if frame.empty:
                raise UserError(f"{path}: has no rows of experiment {name}")
        among = tuple(json.loads(arguments.among).get(name, ()))
        experiment = config.experiments[name]
        if experiment.train.methods:
            best = best_of_each(experiment, *rows)
            return Scene(experiment, *best, neurons, among, grid=rows[0])
        return Scene(experiment, *rows, neurons, among)

    name = arguments.figure
    config = Config.model_validate_json(arguments.spec)
    comparison, atlas = config.comparisons.get(name), config.atlases.get(name)
    words = config.figure(name)
    with style.theme():
        if atlas:  # by name, as panels: other figures do not depend on its code
            atlases = import_module("largestep.report.atlas")
            drawn = atlases.draw(atlas, config.experiments[atlas.of], tables.read(arguments.runs))
        elif comparison:
            drawn = figures.compare(comparison, [scene(each) for each in comparison.experiments])
        else:
            drawn = figures.draw(scene(name))
        for path in (arguments.svg, arguments.pdf, arguments.png):
            with replacing(path) as partial:
                style.save(drawn.figure, partial, words.title or name, drawn.captions, drawn.boxes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", required=True, help="an experiment, a comparison or an atlas")
    parser.add_argument("--spec", required=True, help="configuration of what it shows, as JSON")
    parser.add_argument(
        "--among", default="{}", help="stepsizes among which each experiment's get their colours"
    )
    parser.add_argument("--trajectories", type=Path, nargs="*", help="none for an atlas")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--neurons", type=Path, nargs="*", help="no rows where not recorded")
    parser.add_argument("--svg", type=Path, required=True)
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)
    inputs, outputs = ["trajectories", "runs", "neurons"], ["svg", "pdf", "png"]
    main(run, parser, reads=inputs, writes=outputs)
