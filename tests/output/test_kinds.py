import csv

import keras
import numpy as np
import pytest
from PIL import Image

from balanced_gan import Settings, build_discriminator, build_generator
from balanced_gan.output.kinds import Images, Points, kind_of, require_images
from balanced_gan.output.sampling import Sampler, latents_of
from balanced_gan.presets.networks import NETWORKS
from balanced_gan.settings import preset_values

IMAGES = Images(Settings())


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
    page, lines = IMAGES.write(sampler, tmp_path / "a", range(5, 75))
    files = sorted(path.name for path in (tmp_path / "a").glob("seed-*.png"))
    assert files == [f"seed-{n:06d}.png" for n in range(5, 75)]
    assert Image.open(page).size == (9 * 32, 8 * 32) and not lines
    # One alone, from the number in its name, is the same picture.
    IMAGES.write(sampler, tmp_path / "b", [73])
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
    page, _ = IMAGES.write(sampler, tmp_path, seeds, columns=2, captions=True)
    made = [np.asarray(Image.open(tmp_path / f"seed-{seed:06d}.png")) for seed in seeds]
    sheet = np.asarray(Image.open(page)).reshape(2 * 46, 64, channels)
    rows, columns = (0, 0, 46), (0, 32, 0)
    captions = []
    for row, column, picture in zip(rows, columns, made, strict=True):
        inside = sheet[row : row + 32, column : column + 32]
        np.testing.assert_array_equal(inside, picture.reshape(inside.shape))
        captions.append(sheet[row + 32 : row + 46, column : column + 32])
    assert all(caption.min() < 128 and (caption[:, [0, -1]] > 128).all() for caption in captions)
    assert (captions[0] != captions[2]).any()
    assert (sheet[46:, 32:] == 255).all()


def test_scores_are_the_discriminators_confidence(tmp_path, sampler):
    IMAGES.write(sampler, tmp_path, range(70))
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert [row["file"] for row in rows] == [f"seed-{n:06d}.png" for n in range(70)]
    logits = sampler.discriminator(sampler.generator(latents_of(range(70), 8)))[:, 0]
    expected = 1 / (1 + np.exp(-np.asarray(logits)))
    np.testing.assert_allclose([float(row["confidence"]) for row in rows], expected, atol=2e-5)


def test_points_go_to_a_table_and_a_plot(tmp_path):
    generator, discriminator = NETWORKS["points"]
    sampler = Sampler(generator(0, 0, 2, 4), discriminator(0, 0, 4, 0.0))
    page, lines = Points(Settings(**preset_values("sine"))).write(sampler, tmp_path, range(100))
    rows = list(csv.DictReader((tmp_path / "points.csv").open()))
    assert {path.name for path in tmp_path.iterdir()} == {"points.csv", "sheet.png"}
    assert [int(row["seed"]) for row in rows] == list(range(100))
    expected = sampler.generator(latents_of(range(100), 2)).numpy()
    found = [[float(row["x"]), float(row["y"])] for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert "mean distance" in lines[0]
    assert Image.open(page).size == (640, 480)


def test_sheet_takes_pictures_of_both_kinds():
    pictures = np.zeros((2, 4, 4, 1), np.uint8)
    assert IMAGES.grid_png(pictures, 2) == IMAGES.grid_png(np.float32(pictures) - 1, 2)


def test_the_kind_follows_from_the_settings(points_run):
    assert isinstance(kind_of(Settings()), Images)
    assert isinstance(kind_of(points_run.settings()), Points)
    with pytest.raises(ValueError, match="Run 001-sine makes points; because"):
        require_images(points_run, "because")


@pytest.mark.parametrize(
    "path, label, source", [(None, "drawn-faces", "drawn faces"), ("/x/my f/", "my f", "/x/my f/")]
)
def test_a_run_is_named_after_its_pictures(path, label, source):
    kind = Images(Settings(path=path))
    assert (kind.label, kind.source) == (label, source)
    assert source in kind.describe([None] * 3) and " 3 (" in kind.describe([None] * 3)
