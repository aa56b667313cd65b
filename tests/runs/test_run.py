import csv
import errno
import os
import shutil

import numpy as np
import pytest

from balanced_gan import InputError, Settings
from balanced_gan.files import atomic_open, atomic_write
from balanced_gan.runs import machine
from balanced_gan.runs.registry import all_runs, create_run, find_run, matching_run
from balanced_gan.runs.run import Run


def test_runs_are_numbered_and_named_after_the_folder(workplace):
    names = [create_run(Settings(), label).name for label in ("drawn-faces", "my faces!", "ünï")]
    assert names == ["001-drawn-faces", "002-my-faces", "003-ünï"]
    (workplace / "runs" / "notes").mkdir()
    assert [run.name for run in all_runs()] == names[::-1]


def test_a_folder_name_of_any_length(workplace):
    assert create_run(Settings(), 255 * "ü").path.is_dir()


def test_runs_on_a_disk_that_is_not_there(workplace):
    try:
        (workplace / "runs").symlink_to(workplace / "unplugged")
    except OSError:
        pytest.skip("no symbolic links here")
    with pytest.raises(InputError, match="link to a folder that does not exist"):
        create_run(Settings(), "drawn-faces")


def test_find_by_number_name_path_or_newest(workplace):
    first, second = create_run(Settings(), "drawn-faces"), create_run(Settings(), "b")
    assert find_run() == second
    for name in ("1", "001", "001-drawn-faces", str(workplace / "runs" / "001-drawn-faces")):
        assert find_run(name).path.resolve() == first.path.resolve()
    with pytest.raises(InputError, match=r"run='7'.*002-b, 001-drawn-faces"):
        find_run("7")


def test_a_copy_of_a_run_is_not_taken_for_it(workplace):
    run = create_run(Settings(), "b")
    for name in ("001-b-backup", "001-b copy", "001-b.bak", "001-bb"):
        shutil.copytree(run.path, run.path.with_name(name))
    assert find_run() == find_run("1") == matching_run(Settings())[0] == run


def test_no_run_yet_says_how_to_make_one(workplace):
    with pytest.raises(InputError, match="TYPE train --path FOLDER"):
        find_run()


def test_matching_run_is_the_newest_of_the_same_identity(workplace):
    create_run(Settings(seed=1, precision="float32"), "drawn-faces")
    newer = create_run(Settings(seed=1, epochs=3, precision="bfloat16"), "drawn-faces")
    create_run(Settings(seed=2, precision="float32"), "drawn-faces")
    damaged = create_run(Settings(seed=1), "drawn-faces")
    (damaged.path / "settings.json").write_text("{")
    found, settings, (sentence,) = matching_run(Settings(seed=1, epochs=9))
    assert found == newer  # "auto" fits what it once chose
    assert (settings.precision, settings.epochs) == ("bfloat16", 9)
    assert "Run 004-drawn-faces was not considered." in sentence and "settings.json" in sentence
    assert matching_run(Settings(seed=1, precision="float32"))[0].name.startswith("001")
    assert matching_run(Settings(seed=3))[0] is None


def test_auto_does_not_continue_what_it_would_not_have_begun(workplace):
    for start in ("scratch", "1"):
        create_run(Settings(start=start), "drawn-faces")
        assert matching_run(Settings())[0] is None
    of_others = create_run(Settings(start="scratch", networks="dcgan"), "drawn-faces")
    assert matching_run(Settings(networks="dcgan"))[0] == of_others


def test_a_numbered_folder_without_settings_is_no_run_but_its_number_is_taken(workplace):
    run = create_run(Settings(), "a")
    (workplace / "runs" / "007-notes").mkdir()
    assert find_run() == run
    assert create_run(Settings(), "b").name == "008-b"


@pytest.mark.parametrize("text", [None, "{", '{"margin": -1}', '{"a": 1}', "\x00"])
def test_damaged_settings_are_one_sentence(tmp_path, text):
    if text is not None:
        (tmp_path / "settings.json").write_text(text)
    with pytest.raises(InputError, match=r"settings\.json"):
        Run(tmp_path).settings()


@pytest.mark.parametrize("text", [None, "{", "[]", '{"sessions": "many"}', "\x00"])
def test_unreadable_metadata_are_no_metadata(workplace, text):
    run = create_run(Settings(), "drawn-faces")
    run.save_metadata({"sessions": [1, {"ended": "today"}]})
    assert run.metadata() == {"sessions": [{"ended": "today"}]}
    (run.path / "metadata.json").unlink()
    if text is not None:
        (run.path / "metadata.json").write_text(text)
    assert run.metadata() == {"sessions": []}  # they inform people; nothing depends on them


def test_history_forgets_what_the_checkpoint_does_not_know(workplace):
    run = create_run(Settings(), "drawn-faces")
    file, writer = run.open_history(0)
    writer.writerows([[step, 1, "1.00", 0.7, 0.7, 0.0, "D"] for step in (1, 2, 3)])
    file.write("4,1,1.0")  # power cut
    file.close()
    file, writer = run.open_history(2)
    writer.writerow([3, 1, "9.00", 0.6, 0.6, 0.0, "G"])
    file.close()
    rows = list(csv.DictReader(run.history_file.open()))
    assert [(row["step"], row["seconds"]) for row in rows] == [
        ("1", "1.00"),
        ("2", "1.00"),
        ("3", "9.00"),
    ]


@pytest.mark.crash
def test_atomic_write_leaves_the_old_file_when_writing_fails(tmp_path, monkeypatch):
    file = tmp_path / "a"
    atomic_write(file, b"old")
    monkeypatch.setattr(
        "os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "disk full", "a.tmp"))
    )
    with pytest.raises(OSError, match="disk full") as refused:
        atomic_write(file, b"new")
    assert refused.value.filename == str(file)
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.crash
def test_atomic_open_leaves_nothing_of_what_was_stopped(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_open(tmp_path / "a") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_file_that_a_scanner_holds_for_a_moment_is_replaced(tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_bytes(b"old")
    really, pauses, refusals = os.replace, [], [PermissionError(13, "held")] * 3
    monkeypatch.setattr("time.sleep", pauses.append)

    def held(source, target):
        if refusals:
            raise refusals.pop()
        really(source, target)

    monkeypatch.setattr(os, "replace", held)
    atomic_write(file, b"new")
    assert file.read_bytes() == b"new" and pauses == [0.1, 0.2, 0.4]
    refusals += [PermissionError(13, "held")] * 9
    with pytest.raises(PermissionError):
        atomic_write(file, b"newer")
    assert file.read_bytes() == b"new" and [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_system_without_locks_is_trained_on(workplace, monkeypatch):
    run = create_run(Settings(), "drawn-faces")
    with run.lock() as locked:
        assert locked
    for number in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EIO):

        def refuse(self, timeout, number=number):
            raise OSError(number, "no locks here")

        monkeypatch.setattr("filelock.FileLock.acquire", refuse)
        if number == errno.EIO:
            with pytest.raises(OSError, match="no locks here"), run.lock():
                pass
        else:
            with run.lock() as locked:
                assert not locked


def test_a_history_that_cannot_be_read_is_not_written_anew(workplace, monkeypatch):
    run = create_run(Settings(), "drawn-faces")
    run.history_file.write_text("what a failing disk holds")

    def failing_disk(path, mode="r", **kwargs):
        if mode == "r":
            raise OSError(errno.EIO, "Input/output error")
        return open(path, mode, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(type(run.history_file), "open", failing_disk)
        with pytest.raises(OSError, match="Input/output error"):
            run.open_history(0)
    assert run.history_file.read_text() == "what a failing disk holds"


def test_history_without_what_is_not_whole(workplace):
    run = create_run(Settings(), "drawn-faces")
    file, writer = run.open_history(0)
    writer.writerow([1, 1, "1.00", 0.7, 0.7, -0.01, 1000, 1])
    file.write(
        "2,1,1.00,0.7,0.7,nan,1,0\n3,1,1.003,1,1.00,0.7,0.7,0.0,1,0\n\0\n"
        "4,1,2.00,0.6,0.6,0.0,0,1\n5,1,2.50,0.6,0.6,0.0,0,1"
    )
    file.close()
    rows = list(run.history_rows())
    assert [row["step"] for row in rows] == ["1", "4"]
    assert [(row["turn_G"], row["turn_D"]) for row in rows] == [("1000", "1"), ("0", "1")]
    run.history_file.unlink()
    assert list(run.history_rows()) == []


@pytest.mark.parametrize(
    "turn, expected", [("G", "10"), ("D", "01"), ("3G+D", "31"), ("G+14D", ("1", "14"))]
)
def test_a_history_of_a_former_version_is_read_and_continued(workplace, turn, expected):
    run = create_run(Settings(), "drawn-faces")
    run.history_file.write_text(
        f"step,epoch,seconds,loss_G,loss_D,gap,turn\n1,1,0.50,0.7,0.6,0.1,{turn}\n"
    )
    file, writer = run.open_history(1)
    writer.writerow([2, 1, "1.00", 0.7, 0.7, -0.01, 1, 0])
    file.close()
    rows = list(csv.DictReader(run.history_file.open()))
    assert [(row["turn_G"], row["turn_D"]) for row in rows] == [tuple(expected), ("1", "0")]


def test_events_are_kept_in_order_and_survive_damage(workplace):
    run = create_run(Settings(), "drawn-faces")
    assert run.events() == []
    run.add_event(3, 1.5, "near zero", "both, and\nmore")
    run.add_event(9, 2.5, "alike", 'of "one" kind')
    assert [row["text"] for row in run.events()] == ["both, and\nmore", 'of "one" kind']
    run.events_file.write_bytes(b"\xff\0")
    assert run.events() == []


def test_what_others_leave_in_a_run_folder_is_passed_over(workplace):
    run = create_run(Settings(), "drawn-faces")
    for name in ("step-00000002.png", "step-00000002 copy.png", "step-00000001.png"):
        (run.path / "grids" / name).touch()
    assert [file.stem for file in run.grid_files()] == ["step-00000001", "step-00000002"]
    run.evaluations_file.write_text("step,minutes\n1,2\n")
    assert run.evaluations() == []
    run.evaluations_file.write_text("step,minutes,mmd,spread\n4,1.5,0.2,30\n")  # a former version's
    assert run.evaluations()[0]["diversity"] == 30


def test_evaluations_of_versions_with_other_metrics_keep_their_columns(workplace):
    run = create_run(Settings(), "drawn-faces")
    run.evaluations_file.write_text("step,minutes,swd,mmd\n4,1.5,0.7,0.2\n")
    (row,) = run.evaluations()
    run.save_evaluations([row, {"step": 1727368, "minutes": 3, "mmd": 0.1, "recall": 0.5}])
    assert run.evaluations() == [row, {"step": 1727368, "minutes": 3, "mmd": 0.1}]


def test_pictures_seen_are_those_of_the_batches_as_they_were(workplace):
    run = create_run(Settings(batch_size=16), "drawn-faces")
    assert run.pictures_seen(3) == 48
    run.save_metadata({"sessions": [], "batch_size": 10})
    assert run.pictures_seen(3) == 30
    run.save_metadata({"sessions": [], "batch_size": 10**400})
    assert run.pictures_seen(3) == 48


def test_metadata_without_a_package(monkeypatch):
    monkeypatch.setattr(machine, "_PACKAGES", ("numpy", "no-such-package"))
    found = machine.machine()
    assert found["no-such-package"] is None and found["numpy"] == np.__version__
