"""Sentences that name a number or a count are true of the configuration that they stand in."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from constructed import experiment, frames

from largestep.claims import horizon
from largestep.claims.evidence import by_seed, runs_of
from largestep.configuration import reading
from largestep.configuration.experiment import Experiment
from largestep.configuration.panels import PANELS
from largestep.report.panels import theory_horizon

ROOT = Path(__file__).parents[2]
FILES = ("config/demo.yaml", "config/paper.yaml", "config/beyond.yaml", "config/beyond_mnist.yaml")
CONFIGS = {name: reading.parse(reading.read_yaml(ROOT / name), name) for name in FILES}

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
COUNT = rf"(\d[\d,]*|{'|'.join(WORDS)})"


def number(text: str) -> int:
    return WORDS.index(text) if text in WORDS else int(text.replace(",", ""))


def widths(of: Experiment) -> set[int]:
    return set(getattr(of.model, "widths", None) or [of.model.m])


#: What a text may say of its experiment, and whether it is so.
SAID = {
    rf"\b{COUNT} steps\b": lambda found, of: number(found) == of.train.steps,
    rf"(?<![-\w]){COUNT} (?:[A-Z]\S* )?images\b": lambda found, of: number(found) == of.dataset.n,
    rf"\b{COUNT} seeds?\b": lambda found, of: number(found) == len(of.train.seeds),
    rf"\b{COUNT} stepsizes\b": lambda found, of: number(found) == len(of.stepsizes),
    r"\bwidths? (\d+)": lambda found, of: widths(of) == {int(found)},
    r"N\(0, ([\d.]+)": lambda found, of: float(found) == of.model.scale,
    r"([\d.]+) times larger": lambda found, of: float(found) == of.model.scale,
    r"\b(\d)-layer": lambda found, of: int(found) == len(widths_list(of)) + 1,
}


def widths_list(of: Experiment) -> list[int]:
    return list(getattr(of.model, "widths", None) or [of.model.m])


def false_in(text: str, of: Experiment) -> list[str]:
    found = ((match, holds) for says, holds in SAID.items() for match in re.finditer(says, text))
    return [match[0] for match, holds in found if not holds(match[1], of)]


def statements() -> list[tuple[str, str, Experiment]]:
    """Title and choices of every experiment; the name of each in a comparison."""
    found = []
    for file, config in CONFIGS.items():
        for name, each in config.experiments.items():
            found += [(f"{file}: {name}", t, each) for t in (each.figure.title, each.figure.ours)]
        for name, comparison in config.comparisons.items():
            for other, label in comparison.experiments.items():
                found.append((f"{file}: {name}.{other}", label, config.experiments[other]))
    return found


def test_titles_choices_and_names_agree_with_the_configuration():
    wrong = {place: bad for place, text, of in statements() if (bad := false_in(text, of))}
    assert not wrong


def test_wrong_numbers_are_found():
    of = experiment("xor", [5.0, 10.0])
    assert not false_in("width 10, N(0, 1), 16,384 steps, one seed, two stepsizes", of)
    text = "width 12, N(0, 0.1²), 10,000 steps, 3 seeds, three stepsizes, 6,000 CIFAR-10 images"
    of_images = experiment("digits", [0.2])
    assert len(false_in(text.replace("6,000 CIFAR-10 images", ""), of)) == 5
    assert false_in(text, of_images)


@pytest.mark.parametrize("file", FILES)
def test_our_choices_name_no_number_that_a_user_changes(file):
    """The README says: change one number. The page shows the new one; so must every sentence."""
    numbers = rf"\b{COUNT} (steps|seeds?|images|stepsizes|samples)\b|\bwidths? \d+"
    texts = {name: each.figure.ours for name, each in CONFIGS[file].experiments.items()}
    texts |= {name: each.ours for name, each in CONFIGS[file].comparisons.items()}
    texts |= {name: each.ours for name, each in CONFIGS[file].atlases.items()}
    assert not {name: text for name, text in texts.items() if re.search(numbers, text)}


@pytest.mark.parametrize("file", FILES[:2])
def test_the_horizon_figure_draws_the_proportions_that_its_stepsizes_are_made_for(file):
    """As the comment beside them says, and no other where there are ties."""
    made_for = r"# ([\d.]+) T and ([\d.]+) T for T = 2\^(\d+) \.\. 2\^(\d+)"
    *said, first, last = re.search(made_for, (ROOT / file).read_text()).groups()
    of = CONFIGS[file].experiments["theory_horizon"]

    def change(facts, columns):
        facts["increases"] = int(facts["eta"] > 100)

    trajectories, runs = frames(experiment("margin", of.etas), change)
    seeds = by_seed(runs_of(trajectories[trajectories["step"] <= of.train.steps], runs))
    drawn = theory_horizon._proportions(seeds)
    assert drawn == [float(c) for c in said]
    wanted = {2**k for k in range(int(first), int(last) + 1)}
    assert all(wanted <= horizon.losses_at(seeds[0], c).keys() for c in drawn)


def test_comments_beside_atlases_count_their_runs():
    """As in `name: # 64 x 32 = 2,048 runs`."""
    text = (ROOT / "config/beyond.yaml").read_text()
    found = re.findall(r"^  (\w+): # (\d+) x (\d+) = ([\d,]+) runs", text, re.MULTILINE)
    said = {name: [number(count) for count in counts] for name, *counts in found}
    atlases = CONFIGS["config/beyond.yaml"].atlases
    sizes = {name: [len(values) for values in each.axes.values()] for name, each in atlases.items()}
    assert said == {name: [*two, two[0] * two[1]] for name, two in sizes.items()}


def test_captions_name_no_number_that_a_user_changes():
    for panel in PANELS:
        caption = import_module(f"largestep.report.panels.{panel}").CAPTION
        assert not re.search(rf"\b{COUNT} (steps|seeds?|images|stepsizes|samples)\b", caption), (
            panel
        )


def test_statements_do_not_count_what_may_be_added_to():
    """A ninth activation is judged by the claim that once said eight."""
    from largestep.claims.registered import CLAIMS

    counted = rf"\b(all|both) {COUNT}\b|\b{COUNT} (activations|claims|data sets|seeds)\b"
    assert not [c.id for c in CLAIMS if re.search(counted, c.statement, re.IGNORECASE)]
