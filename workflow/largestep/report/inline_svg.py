"""A figure's SVG cut into its panels, to stand inside a page, one beside or below the other."""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple
from xml.etree import ElementTree

from markupsafe import Markup

from largestep.report.compact_paths import compact

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_DC = "{http://purl.org/dc/elements/1.1/}"
_REFERENCE = re.compile(r'(?:href="|url\()#([^")]+)')


class Panel(NamedTuple):
    """One axes, or the legend (its letter is empty), of a figure.

    box: what the SVG element shows, "x y width height" in points.
    """

    letter: str
    title: str
    caption: str
    box: str
    markup: Markup

    @property
    def width(self) -> float:
        return float(self.box.split()[2])


def panels(svg: bytes, name: str) -> list[Panel]:
    """The panels and then the legend of a figure that `style.save` wrote; empty for another SVG.

    name: of the figure; makes its identifiers its own.
    """
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)
    captions = dict(_captions(_said(root, "description")))
    boxes = [line.split(" ", 1) for line in _said(root, "coverage").splitlines()]
    groups = {group.get("id"): group for group in root.iter(f"{{{_SVG}}}g")}
    shared = list(_definitions(root))
    needed = {identifier for identifier, _ in boxes} | set(_REFERENCE.findall(svg.decode()))
    found = []
    for place, (identifier, box) in enumerate(boxes):
        letter = identifier.partition("-")[2]
        title, caption = captions.get(letter, ("Legend", ""))
        parts = [*(shared if place == 0 else ()), groups[identifier]]
        text = "".join(ElementTree.tostring(part, encoding="unicode") for part in parts)
        found.append(Panel(letter, title, caption, box, Markup(_own(text, name, needed))))
    return found


def _definitions(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Take the glyphs, marks and clips out of their places: each may serve all panels."""
    for parent in list(root.iter()):
        for definitions in parent.findall(f"{{{_SVG}}}defs"):
            parent.remove(definitions)
            yield definitions


def captions(svg: bytes) -> list[tuple[str, str]]:
    """Of each panel its title and what to see in it."""
    described = _said(ElementTree.fromstring(svg), "description")
    return [title_and_caption for _, title_and_caption in _captions(described)]


def shown(svg: bytes) -> str:
    """What lines, bands and marks are: the figure's last line."""
    lines = _said(ElementTree.fromstring(svg), "description").splitlines()
    return next((line[7:] for line in lines if line.startswith("Shown: ")), "")


def _captions(description: str) -> list[tuple[str, tuple[str, str]]]:
    """Letter, then title and caption, from lines "(a) title: caption"."""
    lines = [re.match(r"\((\w+)\) (.*?): (.*)", line) for line in description.splitlines()]
    return [(line[1], (line[2], line[3])) for line in lines if line]


def _said(root: ElementTree.Element, term: str) -> str:
    found = root.find(f".//{_DC}{term}")
    return (found.text or "") if found is not None else ""


def _own(text: str, name: str, needed: Collection[str]) -> str:
    """The markup with identifiers of its own, if needed, and compact paths."""
    text = text.replace(f' xmlns="{_SVG}"', "")
    text = re.sub(rf' xmlns:(\w+)="{_XLINK}"', "", text)
    text = re.sub(r"\b\w+:href=", "href=", text)
    text = re.sub(
        r' id="([^"]*)"', lambda i: f' id="{name}-{i[1]}"' if i[1] in needed else "", text
    )
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = text.replace("url(#", f"url(#{name}-")
    return re.sub(r"\s*\n\s*", "\n", compact(text))
