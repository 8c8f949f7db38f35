"""config/README.md and config/schema.json say what the code reads."""

from pathlib import Path

from largestep.configuration.config import Config
from largestep.stages import reference

CONFIG = Path(__file__).parents[2] / "config"


def test_reference_is_current():
    assert (CONFIG / "README.md").read_text() == reference.render(Config.model_json_schema())


def test_every_key_is_explained():
    schema = Config.model_json_schema()
    for name, part in {"Config": schema, **schema["$defs"]}.items():
        assert part.get("description"), name
        for key, value in part["properties"].items():
            assert "const" in value or value.get("description"), f"{name}.{key}"
