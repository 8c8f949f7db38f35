"""Draw one experiment's figure as SVG, PDF and PNG."""

import argparse
from pathlib import Path

from largestep import figures, style, tables
from largestep.base import UserError
from largestep.files import replacing
from largestep.panels.curves import Scene
from largestep.spec import Experiment
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    def rows(path: Path):
        frame = tables.read(path, experiment=arguments.experiment)
        if frame.empty:
            raise UserError(f"{path}: has no rows of experiment {arguments.experiment}")
        return frame

    experiment = Experiment.model_validate_json(arguments.spec)
    neurons = tables.read(arguments.neurons, experiment=arguments.experiment)
    scene = Scene(experiment, rows(arguments.trajectories), rows(arguments.runs), neurons)
    title = experiment.figure.title or arguments.experiment
    with style.theme():
        figure = figures.draw(scene)
        for path in (arguments.svg, arguments.pdf, arguments.png):
            with replacing(path) as partial:
                style.save(figure, partial, title, figures.caption(experiment.figure))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", required=True, help="its name in the configuration")
    parser.add_argument("--spec", required=True, help="the experiment, as JSON")
    parser.add_argument("--trajectories", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--neurons", type=Path, required=True, help="empty where not recorded")
    parser.add_argument("--svg", type=Path, required=True)
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)
    inputs, outputs = ["trajectories", "runs", "neurons"], ["svg", "pdf", "png"]
    main(run, parser, reads=inputs, writes=outputs)
