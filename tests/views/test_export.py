import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from balanced_gan import InputError, terminal
from balanced_gan.cli.commands import COMMANDS
from balanced_gan.views import export

NEEDS = {"onnx": ("onnxruntime", "tf2onnx"), "keras": (), "saved_model": (), "tflite": ()}


def test_the_command_offers_every_format():
    (option,) = [each for each in COMMANDS["export"].params if each.name == "kind"]
    assert tuple(option.type.choices) == export.FORMATS


@pytest.mark.parametrize("kind", export.FORMATS)
def test_each_format_makes_the_same_pictures_and_its_snippet_runs(tiny_run, train_py, kind):
    missing = [package for package in NEEDS[kind] if find_spec(package) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    code, out, err = train_py("--TYPE", "export", "--format", kind)
    assert code == 0, err
    assert "levels of 255" in out
    folder = tiny_run.path / "export"
    snippet = subprocess.run(
        [sys.executable, f"use_{kind}.py"], cwd=folder, capture_output=True, text=True
    )
    assert snippet.stdout.splitlines() == [f"{n} (32, 32, 3) uint8" for n in range(4)], (
        snippet.stderr
    )


def test_an_export_replaces_an_earlier_one_only_if_it_is_right(tiny_run, tmp_path, monkeypatch):
    def export_with(error):
        def write(generator, file, path, latents):
            path.mkdir()
            (path / str(error)).touch()
            return np.asarray(generator(latents)) + error

        monkeypatch.setitem(export._WRITERS, "saved_model", write)
        export.export(tiny_run, False, "saved_model", tmp_path)

    for error in (0.001, 0.002):
        export_with(error)
    with pytest.raises(InputError, match=r"not kept: .* by up to 12\.\d levels of 255"):
        export_with(0.1)
    found = (path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    names = sorted(path.name for path in found if "runs" not in path.parts)
    assert names == ["0.002", "saved_model", "use_saved_model.py"]


def test_a_folder_with_something_in_it_is_left_alone(tiny_run, train_py, tmp_path):
    mine = tmp_path / "models" / "generator.keras"
    mine.parent.mkdir()
    mine.write_text("mine")
    code, _, err = train_py("--TYPE", "export", "--out", mine.parent)
    assert code == 1 and "generator.keras' exists. Remove it" in err and mine.read_text() == "mine"
    mine.unlink()
    assert train_py("--TYPE", "export", "--out", mine.parent)[0] == 0 and mine.exists()
    mine.unlink()
    example = mine.with_name("use_keras.py")
    example.write_text("edited")
    assert train_py("--TYPE", "export", "--out", mine.parent)[0] == 0
    assert mine.exists() and example.read_text() == "edited"


def test_a_missing_package_is_named(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(terminal, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--format onnx needs .*pip install tf2onnx"):
        export.export(tiny_run, False, "onnx", tmp_path / "out")


def test_points_are_no_pictures(train_py, points_run):
    code, _, err = train_py("--TYPE", "export", "--format", "keras")
    assert code == 1 and "points" in err
