"""Draw which verdicts depend on choices that the paper does not state."""

import argparse
import json
from pathlib import Path

from largestep.common.files import replacing
from largestep.configuration.config import Config
from largestep.report import sensitivity, sensitivity_map, style
from largestep.stages.command import main


def run(arguments: argparse.Namespace) -> None:
    config = Config.model_validate_json(arguments.config)
    claims = json.loads(arguments.claims.read_text())
    rows = sensitivity.table(config, claims)
    with style.theme():
        figure = sensitivity_map.draw(rows)
        for path in (arguments.svg, arguments.pdf, arguments.png):
            with replacing(path) as partial:
                style.save(figure, partial, sensitivity_map.TITLE, sensitivity_map.described(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the configuration, as JSON")
    parser.add_argument("--claims", type=Path, required=True, help="claims.json")
    parser.add_argument("--svg", type=Path, required=True)
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)
    main(run, parser, reads=["claims"], writes=["svg", "pdf", "png"])
