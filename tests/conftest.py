import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
import pytest
import tensorflow as tf

from balanced_gan.cli import commands
from balanced_gan.data.drawn_faces import draw_faces
from balanced_gan.evaluation import metrics
from balanced_gan.model.gan import BalancedGAN
from balanced_gan.runs.run import Run

PROJECT = Path(__file__).parents[1]
REAL_PICTURES = PROJECT.parent / "shared" / "data"
# Smallest networks and fewest batches that still do everything a long run does.
TINY = ["--image_size", "32", "--width", "4", "--batch_size", "8", "--latent_dim", "8"]
TINY += ["--precision", "float32", "--r1", "0", "--grid_side", "2", "--max_images", "20"]
RECALIBRATED_GENERATOR = BalancedGAN.recalibrated_generator


@pytest.fixture(scope="session")
def bfloat16_works():
    """Skips the test where oneDNN is limited to instructions that cannot compute in bfloat16."""
    try:
        ones = tf.ones((1, 1, 1, 1), tf.bfloat16)
        tf.nn.conv2d(ones, ones, 1, "SAME")
    except tf.errors.OpError:
        pytest.skip("oneDNN cannot compute in bfloat16 here")


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
            commands.main()
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        if isinstance(code, str):  # Python prints it and exits with 1
            code, err = 1, err + code
        assert "Traceback" not in err
        return code, out, err

    return call


def trained(tmp_path_factory, *args, eager=True):
    """The folder runs/ after a training of its own."""
    tf.config.run_functions_eagerly(eager)
    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(sys, "argv", ["train.py", *map(str, args)])
        commands.main()
    return place / "runs"


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    options = ["--epochs", 4, "--grid_every_epochs", 1, "--grid_side", 2]
    options += ["--max_streak", 2]  # or the discriminator would have all of so few batches
    return trained(tmp_path_factory, *TINY, *options)


@pytest.fixture(scope="session")
def points_once(tmp_path_factory):
    return trained(tmp_path_factory, "--preset", "sine", "--epochs", 1, "--max_images", 64)


@pytest.fixture
def tiny_run(workplace, trained_once):
    """A copy of a run of 8 batches with a grid every second one: to train takes five seconds."""
    shutil.copytree(trained_once, workplace / "runs", dirs_exist_ok=True)
    return Run(workplace / "runs" / "001-drawn-faces")


@pytest.fixture
def points_run(workplace, points_once):
    """The same of points."""
    shutil.copytree(points_once, workplace / "runs", dirs_exist_ok=True)
    return Run(workplace / "runs" / "001-sine")


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(request, monkeypatch):
    """A run leaves some twenty files, each flushed to the disk: a third of the suite's time.

    Tests that are about crashes carry the mark `crash` and do wait.
    """
    if not request.node.get_closest_marker("crash"):
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="session", autouse=True)
def few_patches():
    """A quarter of the patches: what the tests tell apart lies far apart."""
    metrics._PATCHES = 4096


@pytest.fixture(scope="session", autouse=True)
def few_latents():
    """BatchNorm's statistics from 8 latents: from 256 they are most of the time of a checkpoint."""
    BalancedGAN.recalibrated_generator = lambda model, batches=1: RECALIBRATED_GENERATOR(model, 1)


@pytest.fixture(autouse=True)
def eager_unless_traced(request):
    """Steps run eagerly, because to trace their graphs takes longer than a few batches.

    Tests of the graphs, or beside another process that has them, carry the mark `traced`.
    """
    tf.config.run_functions_eagerly(request.node.get_closest_marker("traced") is None)
    yield
    tf.config.run_functions_eagerly(True)


@pytest.fixture(scope="session")
def faces():
    """20 drawn faces, uint8 (20, 32, 32, 3)."""
    return draw_faces(32, 3, 20)


@pytest.fixture(scope="session")
def face_batch(faces):
    """8 drawn faces, float32 in [-1, 1]."""
    return np.float32(faces[:8]) / 127.5 - 1
