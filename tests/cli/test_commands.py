import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from bad_files import bad_files
from conftest import PROJECT, TINY
from PIL import Image

from balanced_gan import processor
from balanced_gan.cli.commands import find_command
from balanced_gan.data.doubts import doubts
from balanced_gan.output.images import encode_png
from balanced_gan.runs.registry import create_run
from balanced_gan.settings import STARTS, Settings

# What the installed balanced-gan runs; earlier installations have the same line.
ENTRY_POINT = "import sys; from balanced_gan.cli import main; sys.exit(main())"

ONEDNN = "Operation received an exception:Status: 1, message: could not create a primitive"


@pytest.fixture
def folder(workplace, faces):
    """A folder of 10 good pictures."""
    path = workplace / "my faces"
    path.mkdir()
    for number, face in enumerate(faces[:10]):
        (path / f"{number}.png").write_bytes(encode_png(face))
    return path


def test_train_resume_generate(train_py, folder, workplace):
    train = ["--TYPE", "TRAIN", "--path", folder, *TINY, "--epochs"]
    code, out, err = train_py(*train, 2)
    assert code == 0
    for promised in ("Pictures: 10", "runs/001-my-faces, new", "final.png", "--img_num 20"):
        assert promised in out.replace("\\", "/")
    assert "epoch 2/2" in err and "pictures/s" in err and " trains, G " in err

    code, out, _ = train_py(*train, 3)
    assert code == 0 and "001-my-faces, continued" in out
    stored = json.loads((workplace / "runs/001-my-faces/settings.json").read_text())
    assert stored["start"] in STARTS  # what "auto" took, not "auto"
    assert len((workplace / "runs/001-my-faces/history.csv").read_text().splitlines()) == 4

    code, out, _ = train_py("--TYPE", "generate", "--img_num", 5, "--seed", 7)
    assert code == 0
    made = workplace / "images" / "001-my-faces"
    assert sorted(p.name for p in made.iterdir()) == [
        "scores.csv",
        *(f"seed-{n:06d}.png" for n in range(7, 12)),
        "sheet.png",
    ]
    assert Image.open(made / "seed-000007.png").size == (32, 32)
    # Once more: the same pictures, beside the earlier ones and not over them.
    code, out, _ = train_py("--TYPE", "generate", "--img_num", 5, "--seed", 7, "--run", 1)
    again = workplace / "images" / "001-my-faces-2"
    assert code == 0 and str(again.relative_to(workplace)) in out
    for file in made.iterdir():
        assert (again / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    "words, name, left",
    [
        ("", "train", ""),
        ("--path x", "train", "--path x"),
        ("--TYPE generate", "generate", "--TYPE generate"),
        ("--img_num 3 --type=Generate", "generate", "--img_num 3 --type=Generate"),
        ("generate --img_num 3", "generate", "--img_num 3"),
        ("LIST", "list", ""),
        ("--TYPE wild", "train", "--TYPE wild"),
        ("--TYPE", "train", "--TYPE"),
    ],
)
def test_which_command_is_meant(words, name, left):
    command, remaining = find_command(words.split())
    assert (command.name, remaining) == (name, left.split())


@pytest.mark.parametrize("command", [["-m", "balanced_gan"], ["-c", ENTRY_POINT]])
def test_other_ways_to_start_the_program(workplace, command):
    words = [sys.executable, *command, "--TYPE", "list"]
    done = subprocess.run(words, cwd=workplace, capture_output=True, text=True, check=True)
    assert "none yet" in done.stdout


def test_without_a_word_it_trains_on_drawn_faces(workplace):
    command = [sys.executable, PROJECT / "train.py"]
    process = subprocess.Popen(command, cwd=workplace, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("Pictures: 400 (drawn faces")
    finally:
        process.kill()
        process.wait()


def test_generate_defaults(train_py, workplace, tiny_run):
    seeds = set()
    for _ in range(2):
        code, out, _ = train_py("--TYPE", "Generate", "--out", "here")
        assert code == 0
        seeds.add(out.split("--seed ")[1].split()[0])
    assert len(seeds) == 2  # new pictures each time, and the seed to repeat them
    assert len(list((workplace / "here-2").glob("seed-*.png"))) == 20


def test_truncation_makes_pictures_more_alike_or_more_varied(train_py, workplace, tiny_run):
    spread = {}
    for truncation in (1, 0.2, 2):
        out = workplace / str(truncation)
        train_py("--TYPE", "generate", "--seed", 1, "--truncation", truncation, "--out", out)
        pictures = [np.asarray(Image.open(file)) for file in out.glob("seed-*.png")]
        spread[truncation] = np.std(pictures, axis=0).mean()
    assert spread[0.2] < 0.7 * spread[1] < 0.6 * spread[2]


def test_bad_files_are_summed_up_and_listed(train_py, folder, workplace):
    expected = bad_files(folder)
    (folder / "evil\x1b[31m.jpg").touch()
    code, out, _ = train_py("--path", folder, *TINY, "--epochs", 1)
    assert code == 0 and "Pictures: 10" in out
    assert f"Skipped:  {len(expected) + 1}:" in out and "\x1b" not in out
    listed = (workplace / "runs/001-my-faces/skipped.txt").read_text(encoding="utf-8")
    rows = dict(line.split("\t") for line in listed.splitlines())
    assert expected.items() <= rows.items() and "evil\\x1b[31m.jpg" in rows


def test_many_files_of_one_bad_kind_are_counted(train_py, folder):
    for number in range(7):
        (folder / f"{number}.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (folder / "page.jpg").write_text("<html>")
    code, out, _ = train_py("--path", folder, *TINY, "--steps", 1)
    assert code == 0 and "Pictures: 10" in out
    (line,) = [line for line in out.splitlines() if line.startswith("Skipped")]
    assert "8: 7 times" in line and "page.jpg (a web page" in line and "0.heic" not in line


def test_fewer_pictures_than_a_batch_is_said(train_py, folder):
    code, out, _ = train_py("--path", folder, *TINY, "--batch_size", 32, "--epochs", 1)
    assert code == 0 and "fewer than --batch_size 32" in out and "all 10" in out


@pytest.mark.parametrize(
    "options, promises",
    [
        ([*TINY, "--epochs", 4], ["margin = 0.7", "2 batches of 8", "about 8 steps"]),
        (["--preset", "sine", "--steps", 7], ["preset = sine", "1024 on the curve", "about 7 s"]),
    ],
)
def test_dry_run_writes_nothing(train_py, workplace, options, promises):
    code, out, _ = train_py("--dry_run", *options)
    assert code == 0 and not list(workplace.iterdir())
    for promised in ("parameters", f"Machine:  {processor.describe()}", *promises):
        assert promised in out


def test_resume_takes_the_newest_run_with_its_settings(train_py, workplace):
    train_py(*TINY, "--epochs", 1, "--margin", 0.3)
    code, out, _ = train_py("--resume", "--epochs", 2, "--margin", 0.3)
    assert code == 0 and "continued" in out
    stored = json.loads((workplace / "runs/001-drawn-faces/settings.json").read_text())
    assert stored["margin"] == 0.3 and stored["epochs"] == 2 and stored["batch_size"] == 8
    code, _, err = train_py("--resume", "--margin", 0.4)
    assert code == 1 and "margin=0.3" in err and "margin=0.4" in err and "--new" in err
    code, out, _ = train_py("--resume", "--precision", "auto", "--start", "auto")
    assert code == 0 and "--resume --epochs 4" in out  # done already: says how to go on
    # Beside a newer run, what it says to type names the run.
    shutil.copytree("runs/001-drawn-faces", "runs/002-newer")
    code, out, _ = train_py("--run", 1)
    named = f'--run "{Path("runs", "001-drawn-faces")}"'
    assert code == 0 and f"train.py {named} --epochs 4" in out
    assert f"--TYPE generate {named}" in out


@pytest.mark.parametrize(
    "args, named",
    [
        (["--margin", "-1"], ["--margin", "-1"]),
        (["--batch_size", "0"], ["--batch_size", "0"]),
        (["--batch_size", "many"], ["--batch_size", "many"]),
        (["--epochs", "1.5"], ["--epochs", "1.5"]),
        (["--image_size", "65"], ["--image_size", "65"]),
        (["--crop", "round"], ["--crop", "round", "center"]),
        (["--TYPE", "dance"], ["--TYPE", "dance", "train", "generate"]),
        (["--colour", "3"], ["--colour"]),
        (["--generator_learning_rate", "nan"], ["--generator_learning_rate", "nan"]),
        (["--TYPE", "generate", "--margin", "1"], ["--margin", "generate"]),
        (["--img_num", "3"], ["--img_num", "train"]),
        (["--TYPE", "export", "--seed", "1"], ["--seed", "export"]),
        (["--TYPE", "generate", "--img_num", "0"], ["--img_num", "0"]),
        (["--TYPE", "generate", "--truncation", "0"], ["--truncation", "0"]),
        (["--TYPE", "generate", "--truncation", "2.1"], ["--truncation", "2.1"]),
        (["--new", "--resume"], ["--new", "--resume"]),
    ],
)
def test_wrong_options_exit_with_2_and_name_what_was_received(train_py, args, named):
    code, _, err = train_py(*args)
    assert code == 2
    assert all(name in err for name in named)


@pytest.mark.parametrize(
    "args, named",
    [
        (["--path", "nowhere"], "nowhere"),
        (["--path", "."], "No picture to train on"),
        (["--TYPE", "generate"], "There is no run"),
        (["--resume"], "There is no run"),
        (["--run", "x/y"], "run='x/y'"),
    ],
)
def test_what_cannot_be_done_exits_with_1(train_py, workplace, args, named):
    code, _, err = train_py(*args)
    assert code == 1 and named in err and len(err.strip().splitlines()) == 1
    assert not (workplace / "runs").exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(train_py, workplace, tiny_run):
    (workplace / "file").touch()
    code, _, err = train_py("--TYPE", "generate", "--out", "file/sub")
    assert code == 1 and err == "Error: 'file/sub': Not a directory."


def test_damaged_run_is_one_sentence(train_py, tiny_run):
    run = tiny_run.path
    (run / "generator.keras").write_bytes(b"PK damaged")
    code, _, err = train_py("--TYPE", "generate")
    assert code == 1 and "cannot be loaded" in err and len(err.strip().splitlines()) == 1
    (run / "settings.json").write_text("{}}")
    code, _, err = train_py("--resume")
    assert code == 1 and "settings.json" in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "function", "error"),
    [
        (["--TYPE", "generate"], "keras.saving.load_model", MemoryError()),
        (["--TYPE", "generate"], "keras.Model.predict_on_batch", ValueError("OOM when allocating")),
        (["--TYPE", "evaluate"], "balanced_gan.evaluation.evaluate.to_uint8", MemoryError()),
        (["--resume"], "numpy.load", MemoryError()),
        (
            ["--resume", "--epochs", 6],
            "keras.Model.fit",
            tf.errors.AbortedError(None, None, ONEDNN),
        ),
    ],
)
def test_too_little_memory_is_one_sentence(train_py, tiny_run, monkeypatch, words, function, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(function, fail)
    code, _, err = train_py(*words)
    # Neither "damaged" nor "start a new run": the run is intact.
    assert code == 1 and re.match("Error: .*(not enough|out of) memory", err.splitlines()[-1]), err


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--TYPE", "generate", "--help"], ["--TYPE", "list"], ["--TYPE", "report"]],
)
def test_what_needs_no_network_needs_no_tensorflow(tiny_run, workplace, words):
    code = (
        f"import sys; sys.argv[1:] = {words}\n"
        "from balanced_gan.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
        "assert '--help' not in sys.argv or 'cv2' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=workplace, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr


def test_no_chatter_of_libraries(workplace):
    command = [sys.executable, PROJECT / "train.py", *TINY, "--epochs", "1"]
    done = subprocess.run(command, cwd=workplace, capture_output=True, text=True)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 8, done.stdout
    left = [line for line in done.stderr.replace("\r", "\n").splitlines() if line.strip()]
    assert left and all("epoch" in line or "%" in line for line in left), left


def test_doubts_need_few_pictures_at_once():
    class Stored:
        """As `StoredPictures`: at most 500 of 256x256 at once, or memory would not stay flat."""

        def __len__(self):
            return 6000

        def __getitem__(self, which):
            numbers = np.arange(6000)[which]
            assert len(numbers) <= 500
            return numbers

    assert doubts(Stored()) == []


def test_doubts_about_the_pictures_are_said_before_training():
    random = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), np.uint8)
    assert doubts(random) == []
    assert doubts(random[:49]) == [
        "49 pictures are very few: expect near copies of them. Adding more helps most, even if "
        "they are only similar."
    ]
    assert doubts(np.concatenate([random, random[:7]])) == ["7 of 67 pictures are duplicates."]
    assert doubts(np.concatenate([random, random[:6]])) == []
    assert doubts(np.repeat(random[:1], 60, 0)) == [
        "all pictures are identical, so there is nothing else to learn."
    ]


def test_a_folder_that_was_moved(train_py, folder, workplace, faces):
    train = ["--path", folder, *TINY]
    assert train_py(*train, "--epochs", 1)[0] == 0
    moved = folder.rename(workplace / "elsewhere")
    code, _, err = train_py("--resume", "--epochs", 2)
    assert code == 1 and "run 001-my-faces are gone" in err and "--path NEW" in err
    unseen = workplace / "unseen"
    unseen.mkdir()
    for number, face in enumerate(faces[:20]):
        (unseen / f"{number}.png").write_bytes(encode_png(face))
    code, out, err = train_py("--TYPE", "evaluate", "--path", unseen)
    assert code == 0, err
    assert "cannot check for copies" in out and "20 held-out" in out and "nearest.png" not in out
    assert "\nmmd " in out and "\nmemorised " not in out
    code, out, err = train_py("--resume", "--path", moved, "--epochs", 2)
    assert code == 0 and "001-my-faces, continued" in out, err
    stored = json.loads((workplace / "runs/001-my-faces/settings.json").read_text())
    assert stored["path"] == str(moved.resolve())
    # While the folder is there, another one is another run.
    code, _, err = train_py("--resume", "--path", unseen, "--epochs", 3)
    assert code == 1 and "cannot be changed now" in err


@pytest.mark.skipif(sys.platform == "win32", reason="the shell of Unix closes descriptors")
@pytest.mark.parametrize("closed", [">&- 2>&-", "<&- >&- 2>&-", ">/dev/full 2>&1"])
def test_closed_and_full_streams_are_no_error(workplace, closed):
    if "/dev/full" in closed and not Path("/dev/full").exists():
        pytest.skip("only Linux has /dev/full")
    words = [sys.executable, PROJECT / "train.py", *TINY, "--epochs", "1"]
    line = shlex.join(map(str, words))
    assert subprocess.run(f"{line} {closed}", shell=True, cwd=workplace).returncode == 0
    assert (workplace / "runs/001-drawn-faces/final.png").exists()


def test_an_output_stream_of_a_notebook_is_no_error(train_py, monkeypatch):
    class Stream:
        encoding = "utf-8"
        text = ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    stream = Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    assert train_py("--TYPE", "list")[0] == 0
    assert "none yet" in stream.text


def test_a_run_that_cannot_be_read_does_not_hide_the_others(train_py, workplace):
    for label in ("broken", "whole"):
        run = create_run(Settings(), label)
    broken = workplace / "runs/001-broken/history.csv"
    broken.mkdir()  # in place of a disk that fails
    code, out, _ = train_py("--TYPE", "list")
    assert code == 0 and "001-broken" in out and "cannot be read: " in out
    assert run.name in out and "drawn faces" in out


def test_the_shell_completes_the_options_of_the_command_that_is_meant(workplace):
    for words, expected, unexpected in (
        ("balanced-gan --TYPE generate --", "--img_num", "--epochs"),
        ("balanced-gan --", "--epochs", "--img_num"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.argv = ['balanced-gan']; {ENTRY_POINT}"],
            env={
                **os.environ,
                "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split()) - 1),
                "_BALANCED_GAN_COMPLETE": "bash_complete",
            },
            capture_output=True,
            text=True,
        )
        assert expected in done.stdout and unexpected not in done.stdout, done.stderr


def test_a_finished_run_is_not_said_to_be_trained_again(train_py, workplace):
    assert "Trained:  1 step in" in train_py(*TINY, "--steps", 1)[1]
    assert "Finished: 1 step in" in train_py(*TINY, "--steps", 1)[1]
