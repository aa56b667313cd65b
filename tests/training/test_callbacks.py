"""What callbacks do when something goes wrong; what they write is tested with training."""

import errno
import platform
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from balanced_gan import InputError, Settings
from balanced_gan.runs.registry import create_run
from balanced_gan.training import callbacks, monitors
from balanced_gan.training.clock import Budget


@pytest.fixture
def run(workplace):
    return create_run(Settings(), "drawn-faces")


def test_the_clock_does_not_count_sleep(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "process_time", lambda: 0.0)
    clock = callbacks.Clock(before=5.0)
    for passed in (2, 3, 8 * 3600, 1):  # a night in between
        now[0] += passed
        clock.seconds()
    assert clock.seconds() == 11.0


def test_the_clock_counts_a_batch_of_twenty_minutes(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "process_time", lambda: 1.9 * now[0])
    clock = callbacks.Clock()
    now[0] += 1200
    assert clock.seconds() == 1200


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries do it themselves")
def test_freed_memory_goes_back_to_the_system():
    import resource  # Windows has none

    def resident():  # MB
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6

    memory = callbacks.Memory(SimpleNamespace(seconds=lambda: 0.0))
    memory.on_train_begin()
    blocks = [np.ones(10_000) for _ in range(2000)]  # 160 MB
    keeps_the_heap_long = blocks[-1]
    del blocks
    memory.on_train_batch_end(0)
    before = resident()
    memory.clock.seconds = lambda: 61.0
    memory.on_train_batch_end(1)
    assert resident() < before - 100 and keeps_the_heap_long.all()


def full_disk():
    raise OSError(errno.ENOSPC, "No space left on device")


def unreadable():
    raise InputError("settings.json cannot be used")


def test_a_file_that_cannot_be_written_is_said_once_and_training_goes_on(run, capsys):
    grids = monitors.Grids(run, None, 2, 0)
    for write in (full_disk, unreadable, lambda: None, full_disk):
        grids.attempt(write)
    note = "Note: a grid could not be written (No space left on device); training continues."
    assert capsys.readouterr().err.splitlines() == [note, note]


def test_without_the_run_folder_training_ends(run):
    for folder in ("grids", "checkpoints"):
        (run.path / folder).rmdir()
    (run.path / "settings.json").unlink()
    run.path.rmdir()
    with pytest.raises(InputError, match="no longer exists"):
        monitors.Grids(run, None, 2, 0).attempt(full_disk)


def test_the_last_checkpoint_must_be_written(run, monkeypatch):
    checkpoints = callbacks.Checkpoints(run, callbacks.Clock(), 1.0)
    monkeypatch.setattr(checkpoints, "_save", full_disk)
    with pytest.raises(InputError, match=r"\(No space left on device\). Earlier checkpoints"):
        checkpoints.on_train_end()


def test_a_best_that_could_not_be_kept_is_not_recorded(run, faces, monkeypatch, capsys):
    monkeypatch.setattr(monitors, "save_networks", lambda *_: full_disk())
    health = monitors.Health(run, callbacks.Clock())
    budget = Budget(callbacks.Clock(), None, None)
    evaluations = monitors.Evaluations(run, budget, faces[:20], 5, health)
    evaluations.rows = []
    evaluations.set_model(SimpleNamespace(discriminator=None))
    evaluations.attempt(lambda: evaluations._keep({"step": 1, "minutes": 1, "mmd": 0.5}, None))
    assert "an evaluation could not be written" in capsys.readouterr().err
    assert evaluations.rows == [] and not run.evaluations_file.exists()


def test_the_best_networks_are_never_replaced_by_worse_ones(run, faces, monkeypatch):
    kept = []
    monkeypatch.setattr(monitors, "save_networks", lambda _, generator, __: kept.append(generator))
    model = SimpleNamespace(discriminator=None, steps_done=0)

    def session():
        health = monitors.Health(run, callbacks.Clock())
        budget = Budget(callbacks.Clock(), None, None)
        evaluations = monitors.Evaluations(run, budget, faces[:20], 5, health)
        evaluations.set_model(model)
        evaluations.on_train_begin()
        return evaluations

    def keep(evaluations, step, mmd):
        row = {"step": step, "minutes": 1, "mmd": mmd}
        evaluations.attempt(lambda: evaluations._keep(row, f"networks of {step}"))

    first = session()
    keep(first, 1, 0.35)
    with monkeypatch.context() as patch:  # on Windows, while Excel shows evaluations.csv
        patch.setattr(monitors.Run, "save_evaluations", lambda *_: full_disk())
        keep(first, 2, 0.30)
    keep(first, 3, 0.33)
    assert kept == ["networks of 1", "networks of 2"]
    model.steps_done = 1  # killed, and the newest checkpoint is of step 1
    keep(session(), 2, 0.32)
    assert kept == ["networks of 1", "networks of 2"]
    assert [row["mmd"] for row in run.evaluations()] == [0.35, 0.30, 0.32]


def test_on_a_full_disk_a_warning_is_given_once(run, monkeypatch, capsys):
    monkeypatch.setattr("balanced_gan.runs.run.write_table", lambda *_: full_disk())
    watch(run, 0.05, 0.01, 0.5)
    assert capsys.readouterr().err.count("both losses are near zero") == 1


def watch(run, loss_g, loss_d, turns_g, batches=600):
    """Shows `Health` the same batch again and again -> events."""
    health = monitors.Health(run, callbacks.Clock())
    health.set_model(SimpleNamespace(steps_done=batches))
    random = np.random.default_rng(0)
    for batch in range(batches):
        turn = random.random() < turns_g
        logs = {"loss_G": loss_g, "loss_D": loss_d, "turn_G": int(turn), "turn_D": int(not turn)}
        health.on_train_batch_end(batch, logs)
    return [row["event"] for row in run.events()]


def test_healthy_training_is_not_warned_of(run, capsys):
    assert watch(run, 0.75, 0.66, 0.55) == []
    assert watch(run, 0.01, 2.0, 0.2) == []
    assert watch(run, 0.01, 0.01, 0.5, batches=200) == []  # too early to say
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "losses_and_share, event, words",
    [
        ((0.05, 0.01, 0.5), "near zero", "both losses are near zero"),
        ((2.0, 0.3, 0.97), "no turns", "the discriminator hardly gets a turn"),
        ((0.3, 2.0, 0.03), "no turns", "the generator hardly gets a turn"),
    ],
)
def test_sick_training_is_warned_of_once(run, capsys, losses_and_share, event, words):
    assert watch(run, *losses_and_share) == [event]
    assert watch(run, *losses_and_share) == [event]  # the next session
    assert capsys.readouterr().err.count(words) == 1


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_no_number_stops_at_once(loss):
    stop = callbacks.StopOnNaN()
    stop.set_model(SimpleNamespace(steps_done=1))
    with pytest.raises(FloatingPointError, match="a loss was not finite at step 1"):
        stop.on_train_batch_end(0, {"loss_G": 0.7, "loss_D": loss})


def test_grids_come_soon_and_then_ever_more_seldom(run, monkeypatch):
    drawn = []
    monkeypatch.setattr(monitors.Grids, "_draw", lambda self, file: drawn.append(file.stem))
    grids = monitors.Grids(run, None, 2, 300)
    model = SimpleNamespace()
    grids.set_model(model)
    for model.steps_done in range(1, 901):
        grids.on_train_batch_end(0)
    assert [int(stem[5:]) for stem in drawn] == [50, 100, 150, 200, 300, 600, 900]


def test_a_long_run_of_short_epochs_has_hundreds_of_grids_and_not_thousands(run, monkeypatch):
    drawn = []
    monkeypatch.setattr(monitors.Grids, "_draw", lambda self, file: drawn.append(file.stem))
    grids = monitors.Grids(run, None, 2, 10, thinned=True)
    model = SimpleNamespace()
    grids.set_model(model)
    for model.steps_done in range(1, 10 * 2048 + 1):
        grids.on_train_batch_end(0)
    steps = [int(stem[5:]) for stem in drawn]
    assert steps[:256] == [*range(10, 2560, 10), 2560] and steps[256:258] == [2580, 2600]
    assert len(steps) == 256 + 3 * 128 and steps[-1] == 10 * 2048
