import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
import pytest

from balanced_gan import cli, metrics
from balanced_gan.drawn_faces import draw_faces

PROJECT = Path(__file__).parents[1]
REAL_PICTURES = PROJECT.parent / "shared" / "data"
# Smallest networks and fewest batches that still do everything a long run does.
TINY = ["--image_size", "32", "--width", "4", "--batch_size", "8", "--latent_dim", "8"]
TINY += ["--precision", "float32", "--r1", "0", "--max_images", "20"]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty current folder, where runs/ and images/ go."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def train_py(workplace, monkeypatch, capsys):
    """Calls the command line in this process: `train_py(*args) -> (exit code, out, err)`."""

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["train.py", *map(str, args)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        if isinstance(code, str):  # Python prints it and exits with 1
            code, err = 1, err + code
        assert "Traceback" not in err
        return code, out, err

    return call


@pytest.fixture(scope="session", autouse=True)
def few_patches():
    """A quarter of the patches: what the tests tell apart lies far apart."""
    metrics._PATCHES = 4096


@pytest.fixture(scope="session")
def faces():
    """20 drawn faces, uint8 (20, 32, 32, 3)."""
    return draw_faces(32, 3, 20)


@pytest.fixture(scope="session")
def face_batch(faces):
    """8 drawn faces, float32 in [-1, 1]."""
    return np.float32(faces[:8]) / 127.5 - 1
