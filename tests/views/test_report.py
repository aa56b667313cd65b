import dataclasses
import json
import os
import re

import pytest
from conftest import TINY
from pages import Page, frames

from balanced_gan import processor
from balanced_gan.runs.run import Run
from balanced_gan.views.report import write_comparison, write_report


def test_training_leaves_a_page_that_needs_nothing_else(tiny_run):
    page = Page(tiny_run.report_file)
    assert all(address.startswith("data:") for address in page.addresses)
    assert len(page.pictures) == 2  # newest grid and real pictures
    for promised in (
        "Run 001-drawn-faces",
        "8 steps, 64 pictures seen",
        "--run 001-drawn-faces --minutes 60",
        f"{processor.instructions()}, oneDNN {processor.onednn()}",
        "learning_rate_decay",
        "The start was portraits",
    ):
        assert promised in page.text
    assert [frame["label"] for frame in frames(tiny_run)] == [
        "before training",
        *(f"after {n} steps" for n in (2, 4, 6, 8)),
        "newest",
    ]
    charts = tiny_run.report_file.read_text(encoding="utf-8").count("Plotly.newPlot(")
    assert charts >= 3  # losses, gap, turns; Plotly's own text may have more


def test_settings_that_have_their_default_are_folded(tiny_run):
    shown, folded = tiny_run.report_file.read_text(encoding="utf-8").split("<details>")
    assert "<dt>latent_dim</dt>" in shown and "<dt>beta_1</dt>" not in shown
    assert "<dt>latent_dim</dt>" not in folded and "<dt>beta_1</dt>" in folded


def in_training(run, **settings):
    """The text of the report of a run that trains, 200 batches and as many seconds on."""
    metadata = run.metadata()
    metadata["sessions"][-1].pop("ended", None)
    run.save_metadata(metadata)
    no_limit = {"epochs": None, "steps": None, "minutes": None}
    run.save_settings(dataclasses.replace(run.settings(), **no_limit | settings))
    rows = "".join(f"{n},{n // 2},{n}.00,0.7,0.7,0.0,1,0\n" for n in range(1, 201))
    run.history_file.write_text(f"the header\n{rows}")
    return Page(write_report(run)).text


@pytest.mark.parametrize(
    "limits, minutes",
    [
        ({"minutes": 10.0}, 7),
        ({"steps": 320}, 2),
        ({"epochs": 160}, 2),  # of two batches
        ({"minutes": 10.0, "steps": 320}, 2),
    ],
)
def test_a_page_of_a_run_in_training_says_how_long_it_will_take(tiny_run, limits, minutes):
    text = in_training(tiny_run, **limits)
    assert re.search(rf"Training\s.*About {minutes} minutes to go", text)
    assert "newest" not in text  # the last grid is of an earlier session
    assert "location.reload" in tiny_run.report_file.read_text(encoding="utf-8")


def test_a_page_of_a_run_that_ended_stays_as_it_is(tiny_run):
    text = Page(tiny_run.report_file).text
    assert re.search(r"Finished\s+Trained for 1 minute\.", text)
    assert "location.reload" not in tiny_run.report_file.read_text(encoding="utf-8")


def test_a_page_of_a_run_that_was_killed_says_since_when_nothing_happens(tiny_run):
    in_training(tiny_run, steps=320)
    os.utime(tiny_run.history_file, (1e9, 1e9))
    text = Page(write_report(tiny_run)).text
    assert re.search(r"Stalled\s+Nothing has been written since \S+ on 2001-09-0", text)
    assert "Training" not in text


def test_metadata_of_any_kind_does_no_harm(tiny_run):
    in_training(tiny_run, epochs=160)
    metadata = tiny_run.metadata()
    for samples, size in ((10**400, 8), (20, 10**400), (20, 0), ("20", None), (True, [8])):
        metadata["sessions"][-1]["samples"], metadata["batch_size"] = samples, size
        tiny_run.save_metadata(metadata)
        assert "Training" in Page(write_report(tiny_run)).text


def test_names_and_texts_are_escaped(tiny_run):
    tiny_run.add_event(1, 1.0, "x", "<script>alert(1)</script>")
    renamed = Run(tiny_run.path.with_name("001-<b>evil"))
    tiny_run.path.rename(renamed.path)
    text = write_report(renamed).read_text(encoding="utf-8")
    assert "<script>alert(1)" not in text and "<b>evil" not in text


def test_a_folder_whose_name_is_not_unicode_is_shown(tiny_run, tmp_path):
    tiny_run.save_settings(dataclasses.replace(tiny_run.settings(), path="/data/caf\udce9"))
    assert "/data/caf\\udce9" in Page(write_report(tiny_run)).text
    write_comparison([tiny_run, tiny_run], tmp_path / "comparison.html")


def test_quality_and_nearest_pictures_are_shown_once_measured(tiny_run, train_py):
    before = Page(tiny_run.report_file)
    assert "coverage" not in before.text
    assert train_py("--TYPE", "evaluate")[0] == 0
    code, out, _ = train_py("--TYPE", "report")
    assert code == 0 and "report.html" in out
    after = Page(tiny_run.report_file)
    assert re.search(r"The newest networks as of 20\d\d-\d\d-\d\d \d\d:\d\d UTC", after.text)
    assert "coverage" in after.text and len(after.pictures) == 3
    report = json.loads((tiny_run.path / "metrics.json").read_text())
    for damage in ({"evaluated": []}, {"generated": None}, {"real": {"coverage": 10**400}}):
        (tiny_run.path / "metrics.json").write_text(json.dumps(report | damage))
        assert "coverage" not in Page(write_report(tiny_run)).text
    (tiny_run.path / "metrics.json").write_text("{")
    assert "coverage" not in Page(write_report(tiny_run)).text


def test_several_runs_side_by_side(tiny_run, train_py, workplace):
    assert train_py(*TINY, "--epochs", 1, "--margin", 0.3)[0] == 0
    code, out, _ = train_py("--TYPE", "report", "--compare", "1")
    assert code == 0 and "002-drawn-faces, 001-drawn-faces" in out
    page = Page(workplace / "runs" / "comparison.html")
    assert len(page.pictures) == 4
    assert "Settings that differ" in page.text
    assert re.search(r"margin\s*0\.3\s*0\.7", page.text)


def test_a_page_of_points_and_of_a_run_just_begun(points_run):
    assert "Run 001-sine" in Page(points_run.report_file).text
    for file in [
        *(points_run.path / "grids").iterdir(),
        points_run.history_file,
        points_run.path / "final.png",
    ]:
        file.unlink()
    (points_run.path / "metadata.json").write_text("[]")
    assert "No grid has been drawn yet" in Page(write_report(points_run)).text


def test_list_shows_every_run(tiny_run, points_run, train_py, workplace):
    points_run.path.rename(points_run.path.with_name("002-sine"))
    broken = workplace / "runs" / "003-broken\x1b[31m"
    broken.mkdir()
    (broken / "settings.json").write_text("{")
    code, out, _ = train_py("--TYPE", "list")
    lines = out.splitlines()
    assert code == 0 and "\x1b" not in out and len(lines) == 4
    assert "cannot be used" in lines[1] and "a sine curve" in lines[2]
    assert re.match(r"001-drawn-faces +64 +0\.\d +32 ", lines[3])


def test_list_without_runs_says_how_to_make_one(train_py):
    code, out, _ = train_py("--TYPE", "list")
    assert code == 0 and "train.py --path FOLDER" in out
