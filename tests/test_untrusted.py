"""Run folders that somebody else may have made: read as data, never a way to write elsewhere."""

import io
import os
import shutil
import struct
import zipfile
import zlib

import keras
import pytest
from pages import Page, frames
from PIL import Image

from balanced_gan import InputError
from balanced_gan.model.build import build_gan
from balanced_gan.output.sampling import load_network
from balanced_gan.output.video import animate_grids
from balanced_gan.runs.checkpoints import load_checkpoint
from balanced_gan.runs.registry import find_run, matching_run
from balanced_gan.views.report import write_report


def plant_link(place, target):
    if place.is_dir():
        shutil.rmtree(place)
    try:
        place.symlink_to(target)
    except OSError:
        pytest.skip("no symbolic links here")


def plant_pipe(place, target):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    place.unlink(missing_ok=True)
    os.mkfifo(place)


@pytest.mark.parametrize(
    "plant, name, what",
    [
        (plant_link, "history.csv.tmp", "a link"),
        (plant_link, "generator.tmp.keras", "a link"),
        (plant_link, "checkpoints", "a link"),
        (plant_pipe, "settings.json", "neither a file nor a folder"),
        (plant_pipe, "grids/step-00000000.png", "neither a file nor a folder"),
    ],
)
def test_a_run_with_links_or_pipes_is_not_used(tiny_run, train_py, tmp_path, plant, name, what):
    settings = tiny_run.settings()
    target = tmp_path / "precious"
    target.mkdir() if name == "checkpoints" else target.write_text("precious")
    plant(tiny_run.path / name, target)
    for args in (["--TYPE", "report"], ["--TYPE", "generate"], ["--resume", "--epochs", 9]):
        code, _, err = train_py(*args)
        assert code == 1 and what in err and name.split("/")[-1] in err
        assert len(err.strip().splitlines()) == 1
    found, _, (sentence,) = matching_run(settings)
    assert found is None and "001-drawn-faces was not considered" in sentence
    code, out, _ = train_py("--TYPE", "list")
    assert code == 0 and "cannot be used" in out
    assert not list(target.iterdir()) if target.is_dir() else target.read_text() == "precious"


def test_a_run_whose_name_would_control_the_terminal(tiny_run):
    tiny_run.path.rename(tiny_run.path.with_name("009-\x1b]0;mine\x07"))
    with pytest.raises(InputError, match="unprintable characters") as refused:
        find_run()
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "name, text",
    [
        ("metadata.json", 100_000 * "["),
        ("metrics.json", 100_000 * "["),
        ("evaluations.csv", f"step,minutes,mmd\n1,2,{200_000 * '3'}\n"),
        ("events.csv", f"step,seconds,event,text\n1,2,3,{200_000 * '4'}\n"),
    ],
)
def test_a_page_without_what_cannot_be_read(tiny_run, train_py, name, text):
    (tiny_run.path / name).write_text(text)
    assert train_py("--TYPE", "list")[0] == 0
    assert train_py("--TYPE", "report")[0] == 0
    assert "Run 001-drawn-faces" in Page(tiny_run.report_file).text


def png(width, height):
    """A PNG file that promises so many pixels and has none."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in [*chunks, (b"IEND", b"")]
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_grids_that_cannot_be_read_are_left_out(tiny_run, train_py):
    first, second, third, fourth, last = tiny_run.grid_files()
    first.write_bytes(png(10_000, 10_000))
    second.write_bytes(png(100_000, 100_000))
    third.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    fourth.write_bytes(fourth.read_bytes()[:200])
    write_report(tiny_run)
    assert [frame["label"] for frame in frames(tiny_run)] == ["after 8 steps", "newest"]
    Image.new("RGB", (8, 8)).save(last)
    moving = Image.open(io.BytesIO(animate_grids([*tiny_run.grid_files(), tiny_run.final_grid])[0]))
    assert moving.n_frames == 1
    tiny_run.final_grid.write_bytes(png(10_000, 10_000))
    code, out, _ = train_py("--TYPE", "report")
    assert code == 0 and "no new plot or animation" in out


def test_archives_that_unpack_to_more_than_their_size(tiny_run):
    def compress(file):
        with zipfile.ZipFile(file) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in entries.items():
                archive.writestr(name, data + 10_000_000 * b"\0")

    compress(tiny_run.generator_file)
    with pytest.raises(InputError, match="compressed"):
        load_network(tiny_run, tiny_run.generator_file)
    newest = max((tiny_run.path / "checkpoints").iterdir())
    shutil.copy(newest, newest.with_name("step-00000009.npz"))
    compress(newest.with_name("step-00000009.npz"))
    gan = build_gan(tiny_run.settings())
    assert load_checkpoint(tiny_run, gan)[1] == ["step-00000009.npz"]
    assert gan.steps_done == 8


def test_code_in_a_network_is_not_run(tiny_run, tmp_path):
    evil = eval(f"lambda x: open({str(tmp_path / 'ran')!r}, 'w') and x")
    network = keras.Sequential([keras.Input((8,)), keras.layers.Lambda(lambda x: x)])
    network.layers[-1].function = evil
    network.save(tiny_run.generator_file)
    with pytest.raises(InputError, match=r"holds code, which is never run$"):
        load_network(tiny_run, tiny_run.generator_file)
    assert not (tmp_path / "ran").exists()
