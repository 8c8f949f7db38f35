"""The page as a reader has it: in a browser, on a desk and on a phone, in light and dark."""

import base64
import io
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest
from PIL import Image
from unit import unpacked

AXE = Path(__file__).parent / "axe" / "axe.min.js"


def explored(browser) -> dict[str, str]:
    """The explorer's state, as its link has it."""
    link = browser("return document.getElementById('explorer-link').hash")
    return {name: values[0] for name, values in parse_qs(link.partition("=")[2]).items()}


def picture(browser) -> np.ndarray:
    script = "return document.querySelector('#explorer-view canvas').toDataURL().split(',')[1]"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(browser(script)))))


def changes(browser, act) -> None:
    """The picture is another after `act`."""
    before = picture(browser)
    act()
    browser.until(
        lambda: picture(browser).shape != before.shape or (picture(browser) != before).any()
    )


def test_the_console_is_clean_and_nothing_is_asked_for(browser):
    browser.requests(), browser.messages()
    browser.open()
    changes(browser, lambda: browser.set("[name=quantity]", "normalized_margin"))
    assert browser.messages() == []
    assert {url.partition(":")[0] for url in browser.requests()} <= {
        "file",
        "data",
        "blob",
        "about",
    }
    assert [url for url in browser.requests() if not url.startswith(browser.address)] == []


def test_hostile_texts_stay_text(browser):
    browser.open()
    browser("document.querySelectorAll('details').forEach(e => e.open = true)")
    browser.until(
        lambda: browser("return document.querySelectorAll('.findings table').length") == 5
    )
    assert browser("return document.querySelectorAll('img').length") == 0
    assert browser.driver.title == "largestep: small"
    assert "<img src=x onerror" in browser.text("#figure-points h3")
    assert "<img src=x onerror" in browser.text(".findings table")


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_off_and_figures_have_size(browser, width):
    browser.open(width=width)
    browser("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert browser("return document.documentElement.scrollWidth") <= width
    sizes = browser(
        "return [...document.querySelectorAll('.panel')].map(e => e.getBoundingClientRect())"
        ".map(r => [r.left, r.right, r.width, r.height])"
    )
    assert len(sizes) == 10
    for left, right, across, high in sizes:
        assert left >= 0 and right <= width
        assert across >= 200 and high >= 150
        assert width > 500 or across > 0.85 * width, "a panel per row on a phone"


def test_the_first_screen_answers_whether_the_paper_holds(browser):
    browser.open()
    for selector in ("h2.verdict", ".bar", ".open", ".key .panel"):
        script = "return document.querySelector(arguments[0]).getBoundingClientRect().top"
        assert 0 <= browser(script, selector) < 800
    assert browser.text("h2.verdict") == "Stated by the paper: 1 of 2 claims hold"
    assert browser.text(".origins").startswith("Derived from it: 1 of 1 claim holds")
    assert browser("return document.querySelectorAll('math').length") > 10
    assert "||w" not in browser("return document.body.innerText")


def test_the_explorer_reacts_and_its_link_restores_the_choice(browser):
    browser.open()
    assert explored(browser)["experiment"] == "xor"
    changes(browser, lambda: browser.set("[name=logy]", False))
    changes(browser, lambda: browser.set("[name=logx]", False))
    changes(browser, lambda: browser.set("[name=axis]", "time"))
    changes(browser, lambda: browser.set("[name=seed]", "1"))
    changes(browser, lambda: browser.set("#explorer-stepsizes input[value='1']", False))
    changes(browser, lambda: browser.set("[name=marks]", False))
    chosen, drawn = explored(browser), picture(browser)
    assert chosen["stepsizes"] == "30,20" and chosen["logy"] == "0" and chosen["axis"] == "time"
    fragment = browser("return document.getElementById('explorer-link').hash")
    assert browser("return location.hash") == fragment
    browser.open(fragment)
    browser.until(lambda: explored(browser) == chosen)
    assert (picture(browser) == drawn).all()
    assert browser.text("#explorer-note").startswith("2 runs")
    changes(browser, lambda: browser.set("[name=experiment]", "points"))
    assert explored(browser)["experiment"] == "points"


def test_without_a_run_or_a_mark_the_explorer_stays_silent(browser):
    browser.open("#explore=experiment=folded")  # its loss is monotone, and it is not yet stable
    browser.messages()
    changes(browser, lambda: browser.set("[name=logy]", False))
    browser("document.querySelector('[data-choose=none]').click()")
    browser.until(lambda: browser.text("#explorer-note").startswith("0 runs"))
    assert browser("return document.querySelectorAll('#explorer-view *').length") == 0
    browser("document.querySelector('[data-choose=all]').click()")
    browser.until(lambda: browser("return !!document.querySelector('#explorer-view canvas')"))
    browser.until(lambda: browser.text("#explorer-note").startswith("2 runs"))
    assert browser.messages() == []


def test_the_legend_has_no_row_of_its_own(browser):
    browser.open()
    boxes = (
        "return [...document.querySelectorAll('#figure-' + arguments[0] + ' .panels > *')]"
        ".map(e => e.getBoundingClientRect()).map(r => [r.left, r.top, r.right, r.bottom])"
    )
    for name in ("xor", "points"):
        *panels, legend = browser(boxes, name)
        assert len(panels) == 3 and len({top for _, top, _, _ in panels}) == 1
        assert legend[1] == panels[0][1] and legend[0] >= panels[-1][2]


def test_pointing_at_a_curve_shows_its_values(browser):
    from selenium.webdriver import ActionChains

    browser.open()
    canvas = browser.driver.find_element("css selector", "#explorer-view canvas")
    browser("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", canvas)
    pointer = ActionChains(browser.driver).move_to_element(canvas)
    pointer.move_by_offset(30, 20).move_by_offset(5, 5).perform()
    tooltip = "return document.querySelector('#vg-tooltip-element.visible')?.textContent ?? ''"
    browser.until(lambda: "stepsize" in browser(tooltip))
    assert "seed" in browser(tooltip)


def test_claims_are_filtered_and_a_verdict_on_top_chooses(browser):
    browser.open()

    def shown():
        return browser(
            "return [...document.querySelectorAll('details.claim:not([hidden])')].map(e => e.id)"
        )

    assert len(shown()) == 5
    browser("document.querySelector('.bar .violated').click()")
    assert shown() == ["claim-claim-3"]
    browser.set("#claims-filter [name=verdict]", "")
    browser.set("#claims-filter [name=origin]", "derived")
    assert shown() == ["claim-claim-1", "claim-claim-4"]
    browser.set("#claims-filter [name=experiment]", "xor")
    assert shown() == ["claim-claim-1"] and browser.text("#claims-count") == "1 of 5 claims"


def test_a_cell_opens_the_run_that_decides_and_its_curve(browser):
    browser.open()
    browser("document.querySelector('.heat .holds a').click()")
    browser.until(lambda: browser("return document.getElementById('finding').open"))
    assert browser.text("#finding-title") == "claim-0 on xor: holds"
    assert "η = 20" in browser.text("#finding-body") and "seed 1" in browser.text("#finding-body")
    browser("document.querySelector('#finding-body a').click()")
    browser.until(lambda: explored(browser).get("stepsizes") == "20")
    assert explored(browser)["seed"] == "1"
    assert not browser("return document.getElementById('finding').open")


def test_runs_are_sorted_and_filtered(browser):
    browser.open()

    def column(place):
        script = (
            "return [...document.querySelectorAll('#runs-table tbody tr:not([hidden])')]"
            ".map(row => Number(row.cells[arguments[0]].dataset.key))"
        )
        return browser(script, place)

    names = browser(
        "return [...document.querySelectorAll('#runs-table th')].map(e => e.textContent)"
    )
    loss = names.index("loss")
    click = "document.querySelectorAll('#runs-table th button')[arguments[0]].click()"
    browser(click, loss)
    assert column(loss) == sorted(column(loss)) and len(column(loss)) == 9
    browser(click, loss)
    assert column(loss) == sorted(column(loss), reverse=True)
    browser.set("#runs-filter [name=experiment]", "points")
    assert len(column(loss)) == 1 and browser.text("#runs-count") == "1 of 9 runs"
    browser.set("#runs-filter [name=experiment]", "")
    browser.set("#runs-filter [name=text]", "no such text")
    assert column(loss) == []


@pytest.mark.parametrize("dark", [False, True])
def test_no_serious_accessibility_error(browser, dark):
    browser.open(dark=dark)
    browser("document.querySelectorAll('details').forEach(e => e.open = true)")
    browser.until(
        lambda: browser("return document.querySelectorAll('.findings table').length") == 5
    )
    browser(AXE.read_text(encoding="utf-8"))
    found = browser.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
        ".then(r => done(r.violations.map(v => [v.impact, v.id, v.nodes[0].html])))"
    )
    assert [each for each in found if each[0] in ("serious", "critical")] == []


def test_the_keyboard_reaches_everything(browser):
    """What can be clicked can be focused: links, buttons, fields and summaries, nothing else."""
    browser.open()
    assert (
        browser(
            "return document.querySelectorAll('[onclick], [tabindex]:not([tabindex=\"0\"])').length"
        )
        == 0
    )
    first = "return document.querySelector('a, button, input, select, summary').className"
    assert browser(first) == "skip"


def test_a_folded_figure_is_drawn_when_its_fold_opens(browser):
    browser.open()
    drawn = "return document.querySelectorAll('#figure-folded .panel path').length"
    assert browser(drawn) == 0
    browser("document.getElementById('variants-figures').open = true")
    browser.until(lambda: browser(drawn) > 20)
    lines = "return document.querySelectorAll('#figure-xor .panel path').length"
    assert browser(lines) > browser(drawn), "it has three stepsizes, not one"
    ids = "return [...document.querySelectorAll('[id]')].map(e => e.id)"
    assert len(browser(ids)) == len(set(browser(ids)))


def test_curves_are_read_as_they_were_written(browser):
    browser.open()
    script = (
        "const done = arguments[0], all = [...document.querySelectorAll('[data-curves]')];"
        "Promise.all(all.map(unpackCurves)).then(done)"
    )
    texts = "return [...document.querySelectorAll('[data-curves]')].map(e => e.textContent)"
    read = browser.driver.execute_async_script(script)
    assert len(read) == 3
    for data, text in zip(read, browser(texts), strict=True):
        expected = unpacked.curves(text)
        for run, own in zip(data["runs"], expected["runs"], strict=True):
            assert run["columns"].keys() == own["columns"].keys()
            for name, column in run["columns"].items():
                np.testing.assert_allclose(
                    np.array(column, float), np.array(own["columns"][name], float), rtol=1e-12
                )


def test_printed_pages_have_everything_open(browser):
    browser.open()
    folded = "return document.querySelectorAll('details:not([open])').length"
    browser("addEventListener('beforeprint', () => { window.printing = true; })")
    pages = base64.b64decode(browser.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pages.startswith(b"%PDF") and browser("return window.printing")
    assert browser("return document.querySelectorAll('#figure-folded .panel path').length") > 20
    assert browser(folded) > 0, "closed again"
    browser("dispatchEvent(new Event('beforeprint'))")
    assert browser(folded) == 0
    browser("dispatchEvent(new Event('afterprint'))")
    assert browser("return document.querySelectorAll('details.claim[open]').length") == 0
