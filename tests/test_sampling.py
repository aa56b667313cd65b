import csv

import keras
import numpy as np
import pytest
from PIL import Image

from balanced_gan import InputError, Settings, build_discriminator, build_generator
from balanced_gan.checkpoints import save_network
from balanced_gan.preset_networks import NETWORKS
from balanced_gan.runs import create_run
from balanced_gan.sampling import (
    Sampler,
    free_folder,
    generate_files,
    latents_of,
    load_network,
    sheet_png,
)
from balanced_gan.sheets import to_uint8


def test_latents_depend_on_their_own_seed_only():
    np.testing.assert_array_equal(latents_of([3, 4], 8)[1], latents_of([4], 8)[0])
    many = latents_of(range(500), 16)
    assert many.shape == (500, 16) and many.dtype == np.float32
    assert abs(many.mean()) < 0.05 and many.std() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(latents_of([3], 8, truncation=0.5), latents_of([3], 8) / 2)


def test_uniform_latents_stay_in_their_range():
    many = latents_of(range(500), 16, prior="uniform")
    assert 0.99 < abs(many).max() <= 1 and abs(many.mean()) < 0.05


@pytest.fixture
def sampler():
    """Of an untrained generator and discriminator."""
    keras.utils.set_random_seed(0)
    return Sampler(build_generator(32, latent_dim=8, width=4), build_discriminator(32, width=4))


@pytest.mark.parametrize("channels", [1, 3])
def test_files_and_sheet(tmp_path, channels):
    sampler = Sampler(
        build_generator(32, channels, latent_dim=8, width=4),
        build_discriminator(32, channels, width=4),
    )
    page, shown = generate_files(sampler, tmp_path / "a", range(5, 75))
    files = sorted(path.name for path in (tmp_path / "a").glob("seed-*.png"))
    assert files == [f"seed-{n:06d}.png" for n in range(5, 75)]
    assert Image.open(page).size == (9 * 32, 8 * 32) and shown.shape == (70, 32, 32, channels)
    # One alone, from the number in its name, is the same picture.
    generate_files(sampler, tmp_path / "b", [73])
    again, before = (
        np.asarray(Image.open(tmp_path / folder / "seed-000073.png")) for folder in "ab"
    )
    assert abs(again.astype(int) - before).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_of_any_columns_with_captions(tmp_path, channels):
    sampler = Sampler(
        build_generator(32, channels, latent_dim=8, width=4),
        build_discriminator(32, channels, width=4),
    )
    seeds = [7, 1_000_000, 3]
    page, shown = generate_files(sampler, tmp_path, seeds, columns=2, captions=True)
    sheet = np.asarray(Image.open(page)).reshape(2 * 46, 64, channels)
    rows, columns = (0, 0, 46), (0, 32, 0)
    captions = []
    for row, column, picture in zip(rows, columns, to_uint8(shown), strict=True):
        np.testing.assert_array_equal(sheet[row : row + 32, column : column + 32], picture)
        captions.append(sheet[row + 32 : row + 46, column : column + 32])
    assert all(caption.min() < 128 and (caption[:, [0, -1]] > 128).all() for caption in captions)
    assert (captions[0] != captions[2]).any()
    assert (sheet[46:, 32:] == 255).all()


def test_scores_are_the_discriminators_confidence(tmp_path, sampler):
    generate_files(sampler, tmp_path, range(70))
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert [row["file"] for row in rows] == [f"seed-{n:06d}.png" for n in range(70)]
    logits = sampler.discriminator(sampler.generator(latents_of(range(70), 8)))[:, 0]
    expected = 1 / (1 + np.exp(-np.asarray(logits)))
    np.testing.assert_allclose([float(row["confidence"]) for row in rows], expected, atol=2e-5)


def test_most_real_keeps_the_highest_confidences(tmp_path, sampler):
    generate_files(sampler, tmp_path, range(70))
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    best = sorted(rows, key=lambda row: -float(row["confidence"]))[:5]
    kept = sampler.most_real(range(70), 5)
    assert sorted(kept) == sorted(int(row["seed"]) for row in best)


def test_a_discriminator_that_is_very_sure_still_ranks(tmp_path, sampler):
    before = sampler.most_real(range(10), 10)
    logits = sampler.discriminator.layers[-1]
    logits.bias.assign([-200.0])  # a million times too sure for float32's exp
    assert sampler.most_real(range(10), 10) == before
    generate_files(sampler, tmp_path, before)
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert 0 < float(rows[0]["confidence"]) < 1e-80


def test_points_go_to_a_table_and_a_plot(tmp_path):
    generator, discriminator = NETWORKS["points"]
    sampler = Sampler(generator(0, 0, 2, 4), discriminator(0, 0, 4, 0.0))
    page, shown = generate_files(sampler, tmp_path, range(100))
    rows = list(csv.DictReader((tmp_path / "points.csv").open()))
    assert {path.name for path in tmp_path.iterdir()} == {"points.csv", "sheet.png"}
    assert [int(row["seed"]) for row in rows] == list(range(100))
    np.testing.assert_allclose(
        [[float(row["x"]), float(row["y"])] for row in rows], shown, rtol=1e-4
    )
    assert Image.open(page).size == (640, 480)


def test_sheet_takes_pictures_of_both_kinds():
    pictures = np.zeros((2, 4, 4, 1), np.uint8)
    assert sheet_png(pictures, 2) == sheet_png(np.float32(pictures) - 1, 2)


def test_network_round_trip(workplace):
    run = create_run(Settings())
    with pytest.raises(InputError, match=r"There is no .*generator\.keras"):
        load_network(run, run.generator_file)
    generator = build_generator(32, latent_dim=8, width=4)
    save_network(generator, run.generator_file)
    latents = latents_of([1, 2], 8)
    loaded = load_network(run, run.generator_file)
    np.testing.assert_allclose(loaded(latents), generator(latents), atol=1e-6)


@pytest.mark.parametrize("damage", [lambda d: d[: len(d) // 2], lambda d: b"", lambda d: b"x" * 99])
def test_damaged_network_is_one_sentence(workplace, damage):
    run = create_run(Settings())
    save_network(build_generator(32, latent_dim=8, width=4), run.generator_file)
    run.generator_file.write_bytes(damage(run.generator_file.read_bytes()))
    with pytest.raises(InputError, match=r"generator\.keras' cannot be loaded"):
        load_network(run, run.generator_file)


def test_free_folder_never_takes_one_with_something_in_it(tmp_path):
    folder = tmp_path / "a"
    assert free_folder(folder) == folder
    folder.mkdir()
    assert free_folder(folder) == folder
    (folder / "x").touch()
    assert free_folder(folder) == tmp_path / "a-2"
    with pytest.raises(InputError, match="Pictures cannot go to a file"):
        free_folder(folder / "x")
