"""One self-contained page about a finished run: frames and dicts in, HTML out."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from largestep.configuration import grids
from largestep.configuration.config import Config
from largestep.configuration.experiment import Experiment
from largestep.configuration.experiment import Figure as Specification
from largestep.report import (
    explorer,
    inline_svg,
    judgements,
    mathematics,
    outcome,
    packing,
    run_table,
    sensitivity,
    stage_graph,
)
from largestep.report.contents import Contents
from largestep.report.numbers import counted, number, steps, words
from largestep.results.best import best_of_each

_MOST_FACTS_OPEN = 3
_HEAVIEST = 1_500_000  # characters of a figure's panels; a heavier one is shown as PNG


def html(contents: Contents) -> str:
    """The page; it asks for nothing from outside and opens from disk."""
    config, claims = contents.config, contents.claims
    names = in_order(config)
    runs = dict(list(contents.runs.groupby("experiment", sort=False)))
    own = [name for name in names if not config.experiments[name].variant_of]
    main = next((name for name in own if not config.experiments[name].figure.stand_in), own[0])
    others = {**config.comparisons, **config.atlases}
    stages = stage_graph.stages(contents.times)
    figures = {name: figure(name, contents) for name in contents.figures}
    variants = judgements.variants(config, claims)
    return template("report.html", autoescape=True).render(
        contents=contents,
        claims=claims,
        names=names,
        own=own,
        others=others,
        experiments=config.experiments,
        figures=figures,
        plates={
            name: packing.packed([panel.markup for panel in figures[name]])
            for name in variants
            if figures[name]
        },
        entries=entries({name: config.figure(name).title or name for name in (*own, *others)}),
        shown={name: inline_svg.shown(image.svg) for name, image in contents.figures.items()},
        words={name: config.figure(name) for name in contents.figures},
        key=inline_svg.panels(contents.figures[main].svg, "key"),
        main=main,
        stand_ins=sum(bool(config.figure(name).stand_in) for name in own),
        outcomes={name: outcome.sentences(config.experiments[name], runs[name]) for name in names}
        | {name: outcome.mapped(found) for name, found in contents.atlases.items()},
        settings={name: setting(experiment) for name, experiment in config.experiments.items()}
        | {name: axes(config, name) for name in config.atlases},
        counts=judgements.counts(claims),
        headline=judgements.headline(claims),
        undecided=[c for c in claims if c["verdict"] in ("violated", "inconclusive")],
        cells={claim["id"]: judgements.cells(claim, own) for claim in claims},
        bars={claim["id"]: judgements.bar(claim) for claim in claims},
        findings=packing.packed(judgements.every_finding(contents.findings)),
        variants=variants,
        sensitivity=(rows := sensitivity.table(config, claims)),
        choices=sensitivity.choices(rows),
        dependence=sensitivity.summary(rows),
        table=run_table.columns(contents.runs, names),
        left_out=run_table.left_out(contents.runs),
        warnings=run_table.warnings(contents.runs),
        curves=curves(contents, names, runs),
        chart=explorer.chart(),
        scripts=explorer.scripts(),
        stages=stages,
        arrows=stage_graph.arrows(stages),
        size=stage_graph.size(stages),
        most_facts_open=_MOST_FACTS_OPEN,
        configuration=yaml.safe_dump(
            config.model_dump(mode="json"), sort_keys=False, default_flow_style=None
        ),
    )


def template(name: str, autoescape: bool) -> Template:
    """One of the package's templates, with the filters that turn values into text."""
    environment = Environment(
        loader=PackageLoader("largestep.report"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "counted": counted,
        "number": number,
        "steps": steps,
        "words": words,
        "tally": judgements.tally,
        "math": mathematics.html if autoescape else mathematics.tex,
    }
    environment.globals |= {
        "VERDICTS": judgements.VERDICTS,
        "ORIGINS": judgements.ORIGINS,
        "PLURAL": judgements.PLURAL,
        "EFFECTS": sensitivity.EFFECTS,
        "MEANINGS": sensitivity.MEANINGS,
        "BOX": stage_graph.BOX,
    }
    return environment.get_template(name)


def in_order(config: Config) -> list[str]:
    """The experiments: the paper's figures by their number, then the others as configured."""
    return sorted(config.experiments, key=lambda name: _place(config.experiments[name].figure))


def _place(words: Specification) -> tuple[int, str]:
    found = re.match(r"Figures? (\d+)(.*)", words.title)
    return (int(found[1]), found[2]) if found else (10**6, "")


def entries(titles: Mapping[str, str]) -> dict[str, str]:
    """Of each figure an entry for the contents: what its title says before a colon, if that tells
    it from the others, which the same part of the paper's figures does not."""
    heads = {name: title.partition(":")[0] for name, title in titles.items()}
    parts = {
        name: found[1] if (found := re.match(r"Figures? (\d+( \w-\w)?)", head)) else head
        for name, head in heads.items()
    }
    alike = Counter(part for name, part in parts.items() if heads[name] != titles[name])
    return {name: heads[name] if alike[parts[name]] < 2 else titles[name] for name in titles}


def figure(name: str, contents: Contents) -> list[inline_svg.Panel]:
    """The panels of a figure; none where it is too heavy, or not of our making."""
    panels = inline_svg.panels(contents.figures[name].svg, name)
    return panels if sum(len(panel.markup) for panel in panels) <= _HEAVIEST else []


def setting(experiment: Experiment) -> list[str]:
    """Data, network and training in words."""
    train, network = experiment.train, experiment.model
    return [
        experiment.dataset.label,
        network.label,
        network.activation_label,
        counted(train.steps, "step"),
        counted(len(train.seeds), "seed"),
        train.dtype,
    ]


def axes(config: Config, name: str) -> list[str]:
    """What an atlas is a map of, and its two axes, in words."""
    atlas = config.atlases[name]
    base = config.experiments[atlas.of]
    ends = [
        f"{key} from {number(values[0])} to {number(values[-1])} ({len(values)} values)"
        for key, values in atlas.axes.items()
    ]
    return [f"runs of {atlas.of}", *ends, counted(atlas.steps or base.train.steps, "step")]


def curves(contents: Contents, names: Sequence[str], runs: Mapping) -> dict[str, str]:
    """The explorer's data of each experiment, packed."""
    among = grids.joined(contents.config)
    rows = dict(list(contents.trajectories.groupby("experiment", sort=False)))
    found = {}
    for name in names:
        experiment, shown = contents.config.experiments[name], (rows[name], runs[name])
        if experiment.train.methods:
            shown = best_of_each(experiment, *shown)
        found[name] = packing.curves(explorer.data(experiment, *shown, among[name]))
    return found
