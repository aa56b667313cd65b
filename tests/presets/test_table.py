"""Every preset from the command line: trains, goes on, generates, says what it cannot do."""

import csv
import json

import numpy as np
import pytest
from conftest import REAL_PICTURES
from PIL import Image

from balanced_gan.output.images import encode_png
from balanced_gan.presets.table import PRESETS
from balanced_gan.settings import preset_values

SMALL = ["--width", "4", "--batch_size", "8", "--max_images", "20", "--precision", "float32"]


def small(preset):
    """Options that make a preset tiny: its networks, schedule and optimizer stay."""
    sizes = {"sine": [], "celeba128": ["--image_size", "48"]}
    return ["--preset", preset, *SMALL, *sizes.get(preset, ["--image_size", "32"])]


def settings_of(workplace, number=1):
    (run,) = (workplace / "runs").glob(f"{number:03d}-*")
    return run, json.loads((run / "settings.json").read_text())


@pytest.mark.parametrize("preset", PRESETS)
def test_train_go_on_and_generate(train_py, workplace, preset):
    code, out, err = train_py(*small(preset), "--steps", 2)
    assert code == 0, err
    assert "--resume --steps 4" in out
    code, out, err = train_py(*small(preset), "--steps", 4)
    assert code == 0 and "continued" in out, err

    run, settings = settings_of(workplace)
    assert settings["preset"] == preset and settings["width"] == 4
    for name in ("networks", "balance", "latent_prior", "beta_1", "dropout", "grid_side"):
        assert settings[name] == preset_values(preset)[name]
    rows = list(csv.DictReader((run / "history.csv").open()))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4]
    both = PRESETS[preset].get("balance") in ("two_step", "two_step_repeat")
    assert all((row["turn_G"] >= "1" and row["turn_D"] >= "1") == both for row in rows)
    for made in ("losses.png", "animation.gif", "animation.mp4", "metadata.json", "final.png"):
        assert (run / made).stat().st_size > 100

    code, out, err = train_py("--TYPE", "generate", "--img_num", 6, "--top", 3, "--seed", 5)
    assert code == 0 and "the most real of 6" in out, err
    folder = workplace / "images" / run.name
    table = "points.csv" if preset == "sine" else "scores.csv"
    scores = [float(row["confidence"]) for row in csv.DictReader((folder / table).open())]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    if preset == "sine":
        assert "Curve:" in out and not list(folder.glob("seed-*"))
    else:
        assert len(list(folder.glob("seed-*.png"))) == 3
    if preset == "mugshots":
        assert {Image.open(file).mode for file in folder.glob("seed-*.png")} == {"L"}


def test_resumed_equals_uninterrupted_with_repeats_dropout_and_rmsprop(train_py, workplace):
    options = ["--preset", "original", *SMALL, "--image_size", "32", "--optimizer", "rmsprop"]
    options += ["--label_noise", "0.1", "--margin", "0.001", "--max_streak", "3"]
    assert train_py(*options, "--steps", 3)[0] == 0
    assert train_py(*options, "--steps", 6)[0] == 0
    assert train_py(*options, "--steps", 6, "--new")[0] == 0
    states = []
    for number in (1, 2):
        run, _ = settings_of(workplace, number)
        with np.load(run / "checkpoints" / "step-00000006.npz") as stored:
            states.append({name: stored[name] for name in stored.files if name != "seconds"})
    assert states[0].keys() == states[1].keys()
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name], states[1][name], err_msg=name)


def test_other_options_override_a_preset(train_py, workplace):
    code, out, _ = train_py("--dry_run", *small("dcgan"), "--margin", 0.2, "--balance", "margin")
    assert code == 0
    for shown in ("preset = dcgan", "networks = dcgan", "margin = 0.2", "balance = margin"):
        assert shown in out
    assert "batch_size = 8" in out and "generator_learning_rate = 0.0002" in out
    # A budget or a rhythm given takes the place of the preset's.
    code, out, _ = train_py("--dry_run", *small("celeba128"), "--grid_every_epochs", 2)
    assert "grid_every_epochs = 2" in out and "grid_every_steps = None" in out


def test_mugshots_takes_frontal_pictures_from_sub_folders(train_py, workplace, faces):
    for number in range(4):
        folder = workplace / "police" / f"state {number % 2}" / str(number)
        folder.mkdir(parents=True)
        for side in ("F", "S"):
            (folder / f"A{number}{side}.png").write_bytes(encode_png(faces[number]))
    (workplace / "police" / "A9F.png").write_bytes(encode_png(faces[9]))
    options = ["--path", "police", *small("mugshots"), "--steps", 1]
    code, out, _ = train_py(*options)
    assert code == 0 and "Pictures: 5 " in out
    code, out, _ = train_py(*options, "--pattern", "*S.png")
    assert code == 0 and "Pictures: 4 " in out
    code, _, err = train_py(*options, "--pattern", "*.jpg")
    assert code == 1 and "9 with other names: --pattern '*' takes all" in err
    assert len(err.strip().splitlines()) == 1


def test_unknown_preset_lists_the_known_ones(train_py):
    code, _, err = train_py("--preset", "stylegan")
    assert code == 2 and "stylegan" in err and all(name in err for name in PRESETS)


@pytest.mark.parametrize(
    "args, named",
    [
        (["--preset", "sine", "--path", "."], "--path"),
        (["--preset", "sine", "--channels", "1"], "--channels"),
        (["--preset", "sine", "--augmentation"], "--augmentation"),
        (["--networks", "points"], "--augmentation"),
        (["--preset", "celeba128", "--image_size", "32"], "--image_size"),
        (["--TYPE", "generate", "--img_num", "2", "--top", "3"], "--top 3"),
        (["--TYPE", "generate", "--preset", "sine"], "--preset"),
    ],
)
def test_unknown_combinations_are_one_sentence(train_py, workplace, args, named):
    code, _, err = train_py(*args)
    assert code == 2 and named in err.splitlines()[-1]
    assert not (workplace / "runs").exists()


def test_a_run_keeps_its_preset(train_py, workplace):
    assert train_py(*small("sine"), "--steps", 1)[0] == 0
    code, _, err = train_py("--resume", "--preset", "dcgan")
    assert code == 1 and "preset='sine'" in err and "preset='dcgan'" in err
    # Without a budget of its own a resumed run keeps the one it has.
    code, out, _ = train_py("--resume")
    assert code == 0 and "Finished: 1 step in" in out


@pytest.mark.skipif(
    not (REAL_PICTURES / "congress_400").is_dir(), reason="shared/data/congress_400 is not here"
)
@pytest.mark.parametrize("preset", ["original", "dcgan"])
def test_two_real_batches_at_the_presets_own_size(train_py, preset):
    path = REAL_PICTURES / "congress_400"
    options = ["--preset", preset, "--width", 8, "--max_images", 100]
    code, out, err = train_py("--path", path, *options, "--steps", 2)
    assert code == 0 and "Pictures: 100 " in out, err
