"""The pages in a real browser: Chromium without a window, driven by Playwright."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import PROJECT

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


@pytest.fixture
def page():
    """An empty page that has complained of nothing when the test is over."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 390, "height": 800})  # a telephone
        complaints = []
        tab.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        yield tab
        browser.close()
        assert complaints == []


def test_the_reports_slider_goes_back_in_time(tiny_run, page):
    page.goto(tiny_run.report_file.as_uri())
    picture, when = page.locator("img.frame"), page.locator(".when")
    newest = picture.get_attribute("src")
    assert when.inner_text() == "newest"
    page.locator("input.time").fill("0")
    assert when.inner_text() == "before training" and picture.get_attribute("src") != newest
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 64
    assert page.locator(".js-plotly-plot .main-svg").count() >= 3  # charts were drawn
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390  # nothing sticks out of a telephone


def test_the_explorer_changes_pictures_and_saves_them(tiny_run, page, workplace):
    pytest.importorskip("gradio", reason="gradio is not installed")
    process = subprocess.Popen(
        [sys.executable, PROJECT / "train.py", "--TYPE", "explore", "--no_browser"],
        cwd=workplace,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        address = next(
            found[0] for line in process.stdout if (found := re.search(r"http://\S+:\d+", line))
        )
        assert address.startswith("http://127.0.0.1:")
        page.goto(address)
        picture = page.locator("#picture img")
        picture.wait_for(timeout=30_000)
        for change in (
            lambda: page.locator("#direction-1 input[type=range]").fill("3"),
            lambda: page.locator("#gallery button.thumbnail-item").nth(4).click(),
        ):
            before = picture.get_attribute("src")
            change()
            page.wait_for_function(
                "before => document.querySelector('#picture img').getAttribute('src') !== before",
                arg=before,
            )
        page.locator("#save").click()
        page.locator("#said", has_text="Saved").wait_for()
        saved = workplace / "images" / "001-drawn-faces-explored" / "picture-001.png"
        assert saved.exists() and saved.with_suffix(".csv").exists()
    finally:
        page.goto("about:blank")  # or it would complain that the server has gone
        process.terminate()
        process.wait(timeout=30)
