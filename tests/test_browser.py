"""The pages in a real browser: Chromium without a window, driven by Playwright."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import PROJECT

from balanced_gan.views.report import write_comparison, write_report

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


# Colours fade from one scheme to the other; what axe meets on the way is not what people read.
AFTER_FADING = """async () => {
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  for (const animation of document.getAnimations()) animation.cancel();
}"""


def violations(page):
    """What axe objects to, on a telephone and a laptop, by day and by night."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    found = []
    for width in (390, 1280):
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)
            page.evaluate(AFTER_FADING)
            for broken in axe.Axe().run(page).response["violations"]:
                places = [node["html"][:200] for node in broken["nodes"]]
                found.append((width, scheme, broken["id"], places))
    return found


def in_training(run):
    """Makes a run look as if its training went on."""
    metadata = run.metadata()
    del metadata["sessions"][-1]["ended"]
    run.save_metadata(metadata)
    run.history_file.touch()
    write_report(run)


def test_the_reports_slider_goes_back_in_time(tiny_run, page):
    page.goto(tiny_run.report_file.as_uri())
    picture, when = page.locator("img.frame"), page.locator(".when")
    newest = picture.get_attribute("src")
    assert when.inner_text() == "newest"
    page.locator("input.time").fill("0")
    assert when.inner_text() == "before training" and picture.get_attribute("src") != newest
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 64


@pytest.mark.parametrize("width", [390, 1280])
def test_the_reports_charts_keep_to_their_columns(tiny_run, page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(tiny_run.report_file.as_uri())
    assert page.locator(".js-plotly-plot .main-svg").count() >= 3  # charts were drawn
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figures = page.locator(".charts figure").all()
    for figure in figures:
        column, chart = figure.bounding_box(), figure.locator(".main-svg").first.bounding_box()
        assert chart["x"] + chart["width"] <= column["x"] + column["width"] + 1


def test_the_report_answers_to_the_keyboard(tiny_run, page):
    page.goto(tiny_run.report_file.as_uri())
    page.keyboard.press("Tab")
    slider = page.locator("input.time:focus")
    assert slider.evaluate("slider => getComputedStyle(slider).outlineStyle") == "solid"
    page.keyboard.press("Home")
    assert page.locator(".when").inner_text() == "before training"
    assert slider.get_attribute("aria-valuetext") == "before training"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.get_by_text("beta_1", exact=True).is_visible()


def test_the_report_refreshes_itself_until_training_has_ended(tiny_run, page):
    in_training(tiny_run)
    page.clock.install()
    page.goto(tiny_run.report_file.as_uri())
    state, when = page.locator(".state"), page.locator(".when")
    assert state.inner_text() == "Training"

    page.locator("input.time").fill("2")
    page.locator("input.time").focus()
    page.locator("summary").evaluate("summary => { summary.parentNode.open = true; }")
    page.evaluate("Plotly.relayout(charts[0], {'xaxis.range': [2, 4]})")
    page.evaluate("scrollTo(0, 300); window.unchanged = true")
    page.clock.fast_forward("05:00")
    assert page.evaluate("window.unchanged")  # the slider is in use

    page.locator("input.time").blur()
    page.clock.fast_forward("05:00")
    page.wait_for_function("document.readyState === 'complete' && !window.unchanged")
    assert when.inner_text() == "after 4 steps" and state.inner_text() == "Training"
    assert page.evaluate("scrollY") == 300 and page.locator("details[open]").count() == 1
    assert page.evaluate("charts.map(chart => chart.layout.xaxis.autorange)")[:2] == [False, True]

    page.clock.fast_forward("01:00:00")
    page.locator(".state", has_text="Stalled").wait_for()
    assert "Nothing has been written since" in page.locator(".verdict").inner_text()

    metadata = tiny_run.metadata()
    metadata["sessions"][-1]["ended"] = "now"
    tiny_run.save_metadata(metadata)
    write_report(tiny_run)
    page.clock.fast_forward("05:00")
    page.locator(".state", has_text="Finished").wait_for()
    page.evaluate("window.unchanged = true")
    page.clock.fast_forward("01:00:00")
    assert page.evaluate("window.unchanged")


def test_axe_finds_nothing_in_a_report(tiny_run, points_run, page):
    tiny_run.add_event(4, 1.0, "alike", "the pictures are alike")
    measured = {"mmd": 1.0, "swd": 2.0, "coverage": 0.5}
    metrics = {"evaluated": "2030-01-31T12:00:00+00:00", "generator": "newest"}
    metrics |= {"generated": measured, "real": measured}
    (tiny_run.path / "metrics.json").write_text(json.dumps(metrics))
    shutil.copy(tiny_run.grid_file("real"), tiny_run.path / "nearest.png")
    comparison = tiny_run.path / "comparison.html"
    write_comparison([tiny_run, points_run], comparison)
    for file in (write_report(tiny_run), comparison):
        page.goto(file.as_uri())
        assert page.get_by_role("heading", name="Quality").count() == 1
        assert page.get_by_alt_text("Pairs of a sample").count() == 1
        for fold in page.locator("summary").all():
            fold.click()
        assert violations(page) == []


@pytest.fixture
def explorer(tiny_run, page, workplace):
    """The page of `--TYPE explore`, once it shows its pictures."""
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
        for place in ("#picture img", "#nearest img", "#gallery button.thumbnail-item img"):
            page.locator(place).first.wait_for(timeout=30_000)
        yield page
    finally:
        page.goto("about:blank")  # or it would complain that the server has gone
        process.terminate()
        process.wait(timeout=30)


def test_the_explorer_changes_pictures_and_saves_them(explorer, workplace):
    picture = explorer.locator("#picture img")
    for change in (
        lambda: explorer.locator("#direction-1 input[type=range]").fill("3"),
        lambda: explorer.locator("#gallery button.thumbnail-item").nth(4).click(),
    ):
        before = picture.get_attribute("src")
        change()
        explorer.wait_for_function(
            "before => document.querySelector('#picture img').getAttribute('src') !== before",
            arg=before,
        )
    explorer.locator("#save").click()
    explorer.locator("#said", has_text="Saved").wait_for()
    saved = workplace / "images" / "001-drawn-faces-explored" / "picture-001.png"
    assert saved.exists() and saved.with_suffix(".csv").exists()


def test_the_explorer_shows_a_video_once_there_is_one(explorer):
    assert explorer.locator("#video").count() == 0
    for name in ("Remember as start", "Remember as end"):
        explorer.get_by_role("button", name=name).click()
        explorer.locator("#said", has_text=f"{name.split()[-1].title()} remembered").wait_for()
    explorer.get_by_role("button", name="Animate").click()
    explorer.locator("#video video").wait_for(timeout=60_000)


def test_axe_finds_nothing_in_the_explorer(explorer):
    assert violations(explorer) == []
