"""Links, commands, examples and numbers in the documents are true."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from largestep.configuration import reading

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "config/README.md"])
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]

#: Most words of a document that people read from the top; the generated tables are looked up.
MOST_WORDS = {"README.md": 850, "docs/reproducing.md": 1500}

#: Commands that no test runs: they install, download, train for hours, or need another machine.
UNTRIED = ("python3 -m venv", "source ", ".venv/bin/pip", "pip install", "git clone", "cd ")


def blocks(name: str, language: str = r"\w*") -> list[str]:
    """The fenced blocks of a document."""
    text = (ROOT / name).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(name: str) -> set[str]:
    """Commands in blocks without a language, and those between backticks in the text."""
    lines = [line for block in blocks(name, "(?:sh|bash)?") for line in block.splitlines()]
    text = re.sub(r"^```.*?^```", "", (ROOT / name).read_text(), flags=re.MULTILINE | re.DOTALL)
    lines += re.findall(r"`((?:make|snakemake|python -m largestep\S*)(?: [^`]*)?)`", text)
    found = {line.partition(" #")[0].strip() for line in lines}
    return {
        line for line in found if line.startswith(("make ", "snakemake", "python -m largestep"))
    }


def test_there_are_commands_to_try():
    assert {"make demo", "make test", "snakemake -n"} <= commands("README.md")


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_files_and_to_headings(name):
    text = (ROOT / name).read_text()
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", link):
            continue
        path, _, heading = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        if not target.exists() or (heading and heading not in headings(target)):
            broken.append(link)
    assert not broken


def headings(path: Path) -> set[str]:
    """Anchors as GitHub makes them."""
    found = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


@pytest.mark.parametrize("name", NAMES)
def test_files_between_backticks_exist(name):
    """Of those places in the repository that are not made by a run."""
    text = (ROOT / name).read_text()
    paths = re.findall(
        r"`((?:config|docs|profiles|envs|workflow|tests|benchmarks)/[\w./-]+)`", text
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_make_targets_exist_and_take_their_variables(name):
    targets = {re.sub(r"<\w+>", "/tmp", line) for line in commands(name) if line[:5] == "make "}
    for line in targets:
        done = subprocess.run(
            [*line.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stderr)


@pytest.mark.parametrize("name", NAMES)
def test_stages_in_the_text_are_commands(name):
    for line in commands(name):
        if found := re.match(r"python -m (largestep\.stages\.\w+)", line):
            done = subprocess.run(
                [sys.executable, "-m", found[1], "--help"],
                cwd=ROOT,
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, line


@pytest.mark.parametrize("name", NAMES)
def test_yaml_examples_are_valid_within_the_demo(name):
    for block in blocks(name, "yaml"):
        demo = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
        for key, value in yaml.safe_load(block).items():
            demo[key] = {**demo.get(key, {}), **value} if isinstance(value, dict) else value
        reading.parse(demo, name)


@pytest.mark.parametrize("name", MOST_WORDS)
def test_no_document_is_too_long(name):
    assert len((ROOT / name).read_text().split()) <= MOST_WORDS[name]


def test_the_articles_numbers_are_those_of_the_reference():
    """docs/reproducing.md against docs/reference/paper.json."""
    text = re.sub(r"\s+", " ", (ROOT / "docs/reproducing.md").read_text())
    content = json.loads((ROOT / "docs/reference/paper.json").read_text())
    runs = pd.DataFrame(content["runs"])

    def of(name: str, column: str, stepsize: float | None = None, eta: float | None = None):
        own = runs[runs["experiment"] == name]
        own = own[own["eta"] == eta] if stepsize is None else own[own["stepsize"] == stepsize]
        assert len(own)
        return own[column]

    def percent(*given, **which) -> str:
        return f"{of(*given, 'final_test_accuracy', **which).median():.1%}"

    def loss(name: str, **which) -> float:
        return of(name, "final_loss", **which).median()

    def lower(name: str, small: float, large: float) -> str:
        """How many times lower the loss of the large stepsize is, to two digits."""
        ratio = loss(name, stepsize=small) / loss(name, stepsize=large)
        return f"{float(f'{ratio:.2g}'):.0f}"

    increase, fitted, stable = "last_increase_step", "separation_step", "stable_phase_step"
    expected = [
        f"the {len(runs):,} runs",
        f"oscillates up to step {of('fig1', increase, 0.2).min():,.0f} to "
        f"{of('fig1', increase, 0.2).max():,.0f}",
        f"reaches 100% at step {of('fig1', fitted, 0.2).median():,.0f} against "
        f"{of('fig1', fitted, 0.005).median():,.0f}",
        f"loss is {lower('fig1', 0.005, 0.2)} times lower",
        f"{percent('fig1', stepsize=0.2)} against {percent('fig1', stepsize=0.005)}",
        f"up to step {of('fig2_xor', increase, eta=50).max():.0f} at most",
        f"{loss('fig2_xor', eta=1):.1e} at $\\eta = 1$ to {loss('fig2_xor', eta=50):.1e}",
        f"{loss('fig2_images', eta=25):.1e} at $\\eta = 25$, {loss('fig2_images', eta=800):.1e}",
        f"from step {of('fig2_images', increase, eta=100).median():.0f} ($\\eta = 100$) to "
        f"{of('fig2_images', increase, eta=800).median():.0f}",
        f"at step {of('fig4', fitted, 3.0).median():,.0f}",
        f"up to step {of('teaser', increase, 0.5).median():.0f} (median) and ends at a loss "
        f"{lower('teaser', 0.02, 0.5)} times lower",
        f"{percent('teaser', stepsize=0.5)} against {percent('teaser', stepsize=0.02)}",
        f"at step {of('theory', stable, eta=1).median():,.0f} for $\\eta = 1$, at "
        f"{of('theory', stable, eta=256).median():,.0f}",
        f"{percent('fig2_images', eta=25)} at $\\eta = 25$, {percent('fig2_images', eta=800)}",
        f"begins at step {of('fig2_images_few', stable, eta=100).median():,.0f} to "
        f"{of('fig2_images_few', stable, eta=800).median():,.0f}",
        f"Their losses, {loss('fig2_images_large', eta=400):.3f} and "
        f"{loss('fig2_images_large', eta=800):.3f}",
        f"ends with {percent('fig2_images_large', eta=25)} at $\\eta = 25$ and "
        f"{percent('fig2_images_large', eta=800)} at $\\eta = 800$",
        f"from step {of('fig2_images_large', increase, eta=800).max() + 1:,.0f} on",
        f"width 200 the large stepsize interpolates at step "
        f"{of('fig1_wide', fitted, 0.2).max():.0f}",
    ]
    assert [words for words in expected if words not in text] == []
    assert of("fig2_xor", increase, eta=20).min() > 0 == of("fig2_xor", increase, eta=10).max()
    pairs = (of("fig1", "final_test_accuracy", step).to_numpy() for step in (0.2, 0.005))
    large, small = pairs
    assert f"in {(large > small).sum()} of {len(large)} seeds" in text
