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


def test_a_file_that_makes_other_pictures_is_removed(tiny_run, tmp_path, monkeypatch):
    def wrong(generator, file, path, latents):
        path.write_bytes(b"x")
        return np.asarray(generator(latents)) + 0.1

    monkeypatch.setitem(export._WRITERS, "keras", wrong)
    with pytest.raises(InputError, match=r"by up to 12\.\d levels of 255, and was removed"):
        export.export(tiny_run, False, "keras", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_missing_package_is_named(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(terminal, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--format onnx needs .*pip install tf2onnx"):
        export.export(tiny_run, False, "onnx", tmp_path / "out")


def test_points_are_no_pictures(train_py, points_run):
    code, _, err = train_py("--TYPE", "export", "--format", "keras")
    assert code == 1 and "points" in err
