"""A run's life: resumed, interrupted, killed, repeated."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from conftest import TINY, trained
from PIL import Image

from balanced_gan import InputError, Settings
from balanced_gan.output.kinds import kind_of
from balanced_gan.runs.registry import create_run, find_run
from balanced_gan.runs.run import Run
from balanced_gan.training import monitors
from balanced_gan.training import train as training

TINY_SETTINGS = dict(
    image_size=32,
    width=4,
    batch_size=8,
    latent_dim=8,
    max_images=20,
    precision="float32",
    grid_every_epochs=1,
    grid_side=2,
    max_streak=4,  # or the discriminator would have all of so few batches
)


def train(**changes):
    """Trains on the drawn faces in this process -> the run."""
    settings = Settings(**{**TINY_SETTINGS, **changes})
    run = create_run(settings, "drawn-faces")
    go_on(run, settings)
    return run


def go_on(run, settings):
    samples, _ = kind_of(settings).load()
    return training.train(settings, run, samples)


def raiser(error):
    def fail(*_, **__):
        raise error

    return fail


def state(run):
    """The newest checkpoint's arrays, without the time it took."""
    newest = sorted((run.path / "checkpoints").iterdir())[-1]
    with np.load(newest) as stored:
        return {name: stored[name] for name in stored.files if name != "seconds"}


def history(run):
    rows = list(csv.DictReader(run.history_file.open()))
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def assert_same_run(first, second):
    one, other = state(first), state(second)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert history(first) == history(second)
    assert first.final_grid.read_bytes() == second.final_grid.read_bytes()


@pytest.fixture(scope="module")
def uninterrupted_once(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("uninterrupted"))
        return train(epochs=6).path.resolve()


@pytest.fixture
def uninterrupted(workplace, uninterrupted_once):
    """A copy of a run of 6 epochs of 2 batches, beside which tests make their own."""
    path = workplace / "uninterrupted"
    shutil.copytree(uninterrupted_once, path)
    return Run(path)


def test_a_run_folder_holds_what_it_promises(uninterrupted):
    names = {
        path.relative_to(uninterrupted.path).as_posix() for path in uninterrupted.path.rglob("*.*")
    }
    grids = {f"grids/step-{2 * n:08d}.png" for n in range(1, 7)}
    assert names == grids | {
        "settings.json",
        "metadata.json",
        "history.csv",
        "generator.keras",
        "discriminator.keras",
        "final.png",
        "losses.png",
        "report.html",
        "animation.gif",
        "animation.mp4",
        "grids/real.png",
        "grids/step-00000000.png",
        "checkpoints/step-00000012.npz",
    }
    rows = history(uninterrupted)
    assert [int(row["step"]) for row in rows] == list(range(1, 13))
    assert [int(row["epoch"]) for row in rows] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    for row in rows:
        gap = float(row["loss_G"]) - float(row["loss_D"])
        assert float(row["gap"]) == pytest.approx(gap, abs=2e-5)
    assert {(row["turn_G"], row["turn_D"]) for row in rows} == {("1", "0"), ("0", "1")}


def test_same_seed_repeats_and_another_does_not(uninterrupted):
    assert_same_run(uninterrupted, train(epochs=6))
    assert history(uninterrupted) != history(train(epochs=6, seed=1))


def test_resumed_equals_uninterrupted(uninterrupted):
    run = train(epochs=2)
    assert len(history(run)) == 4
    outcome = go_on(run, Settings(**TINY_SETTINGS, epochs=6))
    assert outcome.finished and outcome.epochs == 6
    assert_same_run(run, uninterrupted)


def test_resumed_from_the_checkpoint_before_a_damaged_one(uninterrupted):
    run = train(epochs=4, checkpoint_every_minutes=0.0)  # one after each batch
    newest = sorted((run.path / "checkpoints").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-1000])
    outcome = go_on(run, Settings(**TINY_SETTINGS, epochs=6))
    assert outcome.finished and outcome.damaged == [newest.name]
    assert_same_run(run, uninterrupted)


def test_a_finished_run_is_left_alone(uninterrupted):
    before = uninterrupted.history_file.read_bytes()
    outcome = go_on(uninterrupted, Settings(**TINY_SETTINGS, epochs=3))
    assert (
        outcome.finished and outcome.epochs == 6 and not outcome.new_steps
    )  # more than asked for, and says so
    assert uninterrupted.history_file.read_bytes() == before


def test_a_run_that_was_killed_at_its_end_gets_its_end(workplace, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(monitors, "write_final_plots", raiser(KeyboardInterrupt))
        train(epochs=1)
    run = find_run()
    late = [run.report_file, *(run.path / name for name in ("losses.png", "animation.gif"))]
    assert not any(file.exists() for file in late)
    assert not go_on(run, Settings(**TINY_SETTINGS, epochs=1)).new_steps
    assert "ended" in run.metadata()["sessions"][-1]
    assert all(file.exists() for file in late)


@pytest.mark.traced
def test_pictures_that_can_no_longer_be_read_end_training_in_a_sentence(workplace):
    class Unreadable(np.ndarray):
        def __getitem__(self, index):
            raise OSError("'cache' ended early")

    # Nothing that reads pictures before the first batch, where main() makes the sentence.
    early = {"start": "scratch", "evaluate_every_minutes": 0, "oversampling": 0}
    settings = Settings(**TINY_SETTINGS, epochs=1, **early)
    samples = np.zeros((20, 32, 32, 3), np.uint8).view(Unreadable)
    with pytest.raises(InputError, match=r"could not be read: .*'cache' ended early.* same"):
        training.train(settings, None, samples)


def test_fewer_pictures_than_a_batch(workplace):
    run = train(epochs=3, max_images=3)
    assert len(history(run)) == 3


def test_one_grey_picture_at_another_size(workplace):
    run = train(epochs=2, max_images=1, channels=1, image_size=48)
    assert len(history(run)) == 2


@pytest.mark.parametrize(
    "balance, turns",
    [("both", ["11"] * 4), ("two_step", ["11"] * 4), ("alternate", ["01", "10", "01", "10"])],
)
def test_other_balances(workplace, balance, turns):
    rows = history(train(epochs=2, balance=balance))
    assert [row["turn_G"] + row["turn_D"] for row in rows] == turns


def test_steps_end_a_run_in_the_middle_of_an_epoch(workplace):
    run = train(epochs=None, steps=3, grid_every_epochs=None, grid_every_steps=2, grid_side=3)
    assert [row["epoch"] for row in history(run)] == ["1", "1", "2"]
    assert [file.name for file in run.grid_files()] == ["step-00000000.png", "step-00000002.png"]
    assert Image.open(run.final_grid).size == (3 * 32, 3 * 32)
    # Of two limits the first counts.
    outcome = go_on(run, Settings(**{**TINY_SETTINGS, "grid_side": 3}, epochs=2, steps=5))
    assert outcome.finished and outcome.steps == 4


def test_metadata_tell_of_every_session(workplace):
    run = train(epochs=1)
    go_on(run, Settings(**TINY_SETTINGS, epochs=3))
    metadata = run.metadata()
    assert metadata["parameters"] == {"generator": 6079, "discriminator": 6825}
    assert [session["batches"] for session in metadata["sessions"]] == [2, 4]
    for session in metadata["sessions"]:
        assert session["began"] <= session["ended"] and session["images_per_second"] > 0
        assert {"processor", "cores", "python", "tensorflow"} <= session["machine"].keys()


def test_minutes_end_a_run(workplace):
    run = train(epochs=None, minutes=0.05, grid_every_epochs=None)
    seconds = [float(row["seconds"]) for row in csv.DictReader(run.history_file.open())]
    assert seconds[-1] >= 3 and all(second <= 3 for second in seconds[:-1])


def test_without_a_readable_checkpoint_nothing_is_overwritten(uninterrupted):
    newest = sorted((uninterrupted.path / "checkpoints").iterdir())[-1]
    newest.write_bytes(b"")
    with pytest.raises(InputError, match="No checkpoint"):
        go_on(uninterrupted, Settings(**TINY_SETTINGS, epochs=9))
    assert len(history(uninterrupted)) == 12


# train.py whose second half takes 8 s, so that a signal comes in time on a busy machine too.
# BatchNorm's statistics come from as few latents as in this process (conftest.py).
SLOW_TO_END = """
import sys, time
from balanced_gan.cli import main
from balanced_gan.model.gan import BalancedGAN
from balanced_gan.training import progress

recalibrated = BalancedGAN.recalibrated_generator
BalancedGAN.recalibrated_generator = lambda model, batches=1: recalibrated(model, 1)

class SlowToEnd(progress.Progress):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        time.sleep(batch >= 8)

progress.Progress = SlowToEnd
sys.argv[0] = "train.py"
main()
"""


def start(workplace, *args):
    """Starts the command line as a process and waits until it has trained a few batches."""
    command = [sys.executable, "-c", SLOW_TO_END, *TINY, *args]
    flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {}
    process = subprocess.Popen(
        command, cwd=workplace, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **flags
    )
    checkpoints = workplace / "runs" / "001-drawn-faces" / "checkpoints"
    while process.poll() is None and len(list(checkpoints.glob("step-*.npz"))) < 2:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()[1]
    return process


LONG_ENOUGH = ["--epochs", "8", "--grid_every_epochs", "4"]
OFTEN = ["--checkpoint_every_minutes", "0"]


@pytest.fixture(scope="module")
def let_alone(tmp_path_factory):
    return Run(trained(tmp_path_factory, *TINY, *LONG_ENOUGH, eager=False) / "001-drawn-faces")


@pytest.mark.parametrize("how", ["interrupt", "kill"])
@pytest.mark.crash
@pytest.mark.traced
def test_stopped_from_outside_and_resumed_equals_uninterrupted(workplace, train_py, let_alone, how):
    process = start(workplace, *LONG_ENOUGH, *OFTEN)
    if how == "kill":
        process.kill()
        process.wait()
    else:
        process.send_signal(signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "Everything is saved" in out and "train.py --resume" in out
        assert "Traceback" not in err
    run = Run(workplace / "runs" / "001-drawn-faces")
    assert len(state(run)) > 20  # whatever the instant, the newest checkpoint is whole

    code, out, _ = train_py(*TINY, *LONG_ENOUGH, *OFTEN)  # the same command goes on
    assert code == 0 and "001-drawn-faces, continued" in out
    assert [int(row["step"]) for row in history(run)] == list(range(1, 17))
    assert_same_run(run, let_alone)


def test_two_processes_on_one_run(workplace, train_py):
    assert train_py(*TINY, "--epochs", 1)[0] == 0
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK], cwd=workplace, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    code, _, err = train_py(*TINY, "--epochs", 2)
    assert code == 1 and "001-drawn-faces is being trained by another process" in err
    holder.kill()
    holder.wait()
    assert train_py(*TINY, "--epochs", 2)[0] == 0  # the lock did not survive its owner


HOLD_THE_LOCK = """
import sys, time
from pathlib import Path
from balanced_gan.runs.run import Run
with Run(Path("runs/001-drawn-faces")).lock():
    print("held", flush=True)
    time.sleep(60)
"""


class Sickness(keras.callbacks.Callback):
    """Makes a weight infinite after some batches, so many times."""

    def __init__(self, steps, times):
        super().__init__()
        self.steps, self.left = steps, times

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.batches) == self.steps and self.left:
            self.left -= 1
            weight = self.model.generator.trainable_variables[0]
            weight.assign(weight * np.inf)


@pytest.fixture
def add_callback(monkeypatch):
    """Lets a callback of a test take part in training."""

    def add(callback):
        ours = training._run_callbacks
        monkeypatch.setattr(training, "_run_callbacks", lambda *args: [*ours(*args), callback])

    return add


def train_sick(**changes):
    settings = Settings(**{**TINY_SETTINGS, "epochs": 6, **changes})
    run = create_run(settings, "drawn-faces")
    return run, lambda: go_on(run, settings)


@pytest.mark.parametrize("checkpoint_every_minutes, back_to", [(0.0, 5), (60.0, 0)])
def test_sick_weights_are_undone(
    workplace, capsys, add_callback, checkpoint_every_minutes, back_to
):
    add_callback(Sickness(5, 1))
    run, go = train_sick(checkpoint_every_minutes=checkpoint_every_minutes)
    outcome = go()
    assert outcome.finished and outcome.steps == 12
    assert [int(row["step"]) for row in history(run)] == list(range(1, 13))
    assert all(np.isfinite(array).all() for array in state(run).values())
    (event,) = run.events()
    assert event["event"] == "stepped back"
    words = f"went back to step {back_to} and continues with the learning rates at 0.5 times"
    assert words in event["text"]
    assert event["text"] in capsys.readouterr().err


def test_a_run_that_stays_sick_ends_in_a_sentence_and_keeps_its_checkpoint(workplace, add_callback):
    add_callback(Sickness(5, 9))
    run, go = train_sick(checkpoint_every_minutes=60.0)
    with pytest.raises(InputError, match=r"already reduced to 0\.125 times"):
        go()
    assert [row["event"] for row in run.events()] == 3 * ["stepped back"]


@pytest.mark.parametrize("checkpoint_every_minutes", [1e-9, 60.0])
def test_a_run_folder_that_disappears_ends_training_in_a_sentence(
    workplace, add_callback, checkpoint_every_minutes
):
    class Remover(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                shutil.rmtree(run.path)

    changes = {"epochs": 6, "checkpoint_every_minutes": checkpoint_every_minutes}
    settings = Settings(**{**TINY_SETTINGS, **changes})
    run = create_run(settings, "drawn-faces")
    add_callback(Remover())
    with pytest.raises(InputError, match="no longer exists, so training stopped"):
        go_on(run, settings)
    assert not run.path.exists()
