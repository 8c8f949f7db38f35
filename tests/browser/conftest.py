"""A page made of real runs, opened from disk in a real browser."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from unit import descend

from largestep.claims.ledger import FINDINGS
from largestep.configuration import reading
from largestep.report import figures, page, style
from largestep.report.contents import Contents, Image
from largestep.report.panels.curves import Scene

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
HOSTILE = "<img src=x onerror=document.title='hacked'>"
EXPERIMENTS = {
    "xor": descend.XOR
    | {
        "train": {"eta": [1, 20, 30], "seeds": [0, 1], "steps": 300},
        "figure": {
            "title": "Figure 2 a-c: XOR",
            "paper": f"falls like 1/(eta t), ||w|| grows {HOSTILE}",
        },
    },
    "folded": {"variant_of": "xor", "train": {"eta": [2]}, "figure": {"title": "XOR, one run"}},
    "points": descend.FIVE_POINTS
    | {"figure": descend.FIVE_POINTS["figure"] | {"title": f"Figure 4 {HOSTILE}"}},
}
VERDICTS = ("holds", "holds where decided", "inconclusive", "violated", "not applicable")


def claim(verdict: str, place: int) -> dict:
    found = "holds" if verdict == "holds where decided" else verdict
    return {
        "id": f"claim-{place}",
        "statement": f"In the stable phase ||w_t|| grows like log t {HOSTILE}",
        "source": "paper, Theorem 2.2",
        "origin": ("paper", "derived", "extension")[place % 3],
        "verdict": verdict,
        "quantity": "largest (L_{t+1} - L_t) / L_t",
        "measured": 0.3,
        "bound": 1.0,
        "slack": 0.7,
        "tolerance": "none",
        "reason": "",
        "decided": 2,
        "applicable": 3,
        "hypotheses": ["a two-layer network"],
        "decides": "more steps" if verdict == "inconclusive" else None,
        "violated_variants": [],
        "runs": [{"experiment": "xor" if place < 3 else "points", found: 2}],
        "variants": [],
        "figure": "xor",
    }


def finding(claim: dict) -> dict:
    (runs,) = claim["runs"]
    here = {"seed": 1, "stepsize": 80.0, "eta": 20.0} if runs["experiment"] == "xor" else {}
    numbers = {"measured": 0.3, "bound": 1.0, "slack": 0.7, "step": 7, "runs": 1}
    verdict = next(name for name in runs if name != "experiment")
    return {
        "claim": claim["id"],
        "experiment": runs["experiment"],
        "verdict": verdict,
        "note": HOSTILE,
        **dict.fromkeys(("seed", "stepsize", "eta")),
        **here,
        **numbers,
    }


def contents() -> tuple[Contents, dict[str, Scene]]:
    config = reading.parse({"name": "small", "experiments": EXPERIMENTS}, "test")
    claims = [claim(verdict, place) for place, verdict in enumerate(VERDICTS)]
    scenes = {
        name: Scene(*descend.trained(experiment.model_dump(exclude={"variant_of"}), name))
        for name, experiment in config.experiments.items()
    }
    given = Contents(
        config=config,
        figures={},
        trajectories=pd.concat([scene.trajectories for scene in scenes.values()]),
        runs=pd.concat([scene.runs for scene in scenes.values()]),
        facts={e.dataset.key: {"origin": HOSTILE} for e in config.experiments.values()},
        times=pd.DataFrame([("train", 2.0, 9.0)], columns=["stage", "seconds", "memory"]),
        claims=claims,
        findings=pd.DataFrame(map(finding, claims), columns=FINDINGS.names),
        machine={"processor": "a processor", "cores": 2},
        versions={"numpy": "2.0"},
        commit="0123abc",
        finished=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )
    return given, scenes


@pytest.fixture(scope="session")
def report(tmp_path_factory) -> Path:
    """The page's path; its folder holds a name that would be markup if it were not text."""
    folder = tmp_path_factory.mktemp("page") / "<img onerror=alert(1)>"
    folder.mkdir()
    given, scenes = contents()
    images = {}
    with style.theme():
        for name, scene in scenes.items():
            drawn = figures.draw(scene)
            path = folder / f"{name}.svg"
            style.save(drawn.figure, path, name, drawn.captions, drawn.boxes)
            images[name] = Image(path.read_bytes(), b"")
    path = folder / "report.html"
    path.write_text(page.html(replace(given, figures=images)), encoding="utf-8")
    return path


class Browser:
    """The page in Chromium, and what the console and the network saw of it."""

    def __init__(self, driver, address: str):
        self.driver, self.address = driver, address

    def open(self, fragment: str = "", width: int = 1280, dark: bool = False) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get("about:blank")
        self.driver.get(self.address + fragment)
        self.until(lambda: self("return !!document.querySelector('#explorer-view canvas')"))

    def __call__(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, holds: Callable[[], object], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "the page did not get there"
            time.sleep(0.05)

    def set(self, selector: str, value) -> None:
        """Give a form's field a value, as a user does."""
        script = (
            "const e = document.querySelector(arguments[0]);"
            "if (e.type === 'checkbox') e.checked = arguments[1]; else e.value = arguments[1];"
            "e.dispatchEvent(new Event('input', {bubbles: true}));"
            "e.dispatchEvent(new Event('change', {bubbles: true}));"
        )
        self(script, selector, value)

    def text(self, selector: str) -> str:
        return self("return document.querySelector(arguments[0]).textContent", selector)

    def messages(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        events = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="session")
def browser(report) -> Iterator[Browser]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs Debian's chromium and chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield Browser(driver, report.as_uri())
    finally:
        driver.quit()
