"""How people name a folder, and what they are told."""

import sys

import pytest
from conftest import TINY

from balanced_gan.cli.folder import folder_of
from balanced_gan.errors import InputError
from balanced_gan.output.images import encode_png


def test_the_home_folder_and_relative_names(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # Windows
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()
    expected = str((tmp_path / "faces").resolve())
    assert folder_of("~/faces") == folder_of("faces") == folder_of("faces/") == expected
    assert folder_of("nowhere") == str(tmp_path.resolve() / "nowhere")  # found out when read


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("", "--path is empty, as when a shell variable is not set"),
        (" ", "--path is empty"),
        ('faces" --epochs 50', "without a backslash before the closing mark"),
        ("a.zip", "is an archive. Unpack it"),
        ("a.jpg", "is a file. Name its folder: --path ."),
    ],
)
def test_what_is_no_folder_is_said_in_a_sentence(text, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.zip", "a.jpg"):
        (tmp_path / name).touch()
    with pytest.raises(InputError) as refused:
        folder_of(text)
    assert sentence in str(refused.value)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_loop_of_links_is_no_error_yet(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert folder_of(str(tmp_path / "loop")) == str(tmp_path / "loop")  # found out when read


def test_an_empty_run_is_refused(train_py, tiny_run):
    code, _, err = train_py("--run", "")
    assert code == 1 and "There is no such run: run=''" in err


@pytest.mark.parametrize("type_", ["train", "evaluate"])
def test_an_empty_path_is_refused(type_, train_py, tiny_run):
    code, _, err = train_py("--TYPE", type_, "--path", "")
    assert code == 1 and "--path is empty" in err and "Traceback" not in err


@pytest.mark.parametrize("type_", ["generate", "interpolate", "explore", "export"])
def test_an_empty_out_is_refused(type_, train_py, tiny_run):
    code, _, err = train_py("--TYPE", type_, "--out", "")
    assert code == 2 and "--out is empty" in err and "Traceback" not in err


def test_ten_thousand_names_give_one_sentence(train_py, workplace):
    code, _, err = train_py("--path", *(f"{number}.jpg" for number in range(10_000)))
    assert code == 2 and "and 9,998 more" in err and len(err) < 1000


def test_hyphens_and_small_letters_do_as_well(train_py, workplace):
    args = [arg.replace("_", "-") if str(arg).startswith("--") else arg for arg in TINY]
    assert args != TINY
    assert train_py("--type", "train", *args, "--epochs", 1)[0] == 0
    assert train_py("--Type", "generate", "--img-num", 1)[0] == 0


def test_what_the_program_made_is_not_trained_on(train_py, workplace, faces):
    for number, face in enumerate(faces[:10]):
        (workplace / f"{number}.png").write_bytes(encode_png(face))
    train = ["--path", ".", *TINY, "--epochs"]
    assert train_py(*train, 1)[0] == 0
    assert train_py("--TYPE", "generate", "--img_num", 3)[0] == 0
    # As `--dry_run --crop face`, interpolate and explore leave them.
    for name in ("faces_found.png", "001/strip.png", "001-explored/picture-001.png"):
        (workplace / "images" / name).parent.mkdir(exist_ok=True)
        (workplace / "images" / name).write_bytes(encode_png(faces[0]))
    (workplace / "images" / "001" / "interpolation.mp4").touch()
    (workplace / "images" / "001-explored" / "picture-001.csv").touch()
    code, out, _ = train_py(*train, 2, "--new")
    assert code == 0 and "Pictures: 10" in out
    assert "made by this program" in out and "images/" in out and "runs/001" in out


def test_a_folder_whose_only_subfolder_is_left_out_says_so(train_py, workplace):
    (workplace / "faces").mkdir()
    (workplace / "faces" / "album").symlink_to(workplace)
    code, _, err = train_py("--path", "faces")
    assert code == 1 and "none found. album: a link to a folder, not followed." in err


@pytest.mark.parametrize(
    "options, sentence",
    [
        (["--path", "~nobody"], "There is no folder"),
        (["--path", ".", "--pattern", "."], "pattern must match"),
        (["--run", "²"], "There is no such run"),
    ],
)
def test_odd_names_are_an_error_in_a_sentence(train_py, workplace, options, sentence):
    code, _, err = train_py(*options)
    assert code == 1 and sentence in err
