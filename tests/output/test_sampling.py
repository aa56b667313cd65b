import csv
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from balanced_gan import InputError, Settings, build_discriminator, build_generator
from balanced_gan.output.kinds import Images
from balanced_gan.output.sampling import (
    Sampler,
    free_folder,
    latents_of,
    load_network,
)
from balanced_gan.runs.registry import create_run


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


def test_most_real_keeps_the_highest_confidences(tmp_path, sampler):
    Images(Settings()).write(sampler, tmp_path, range(70))
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    best = sorted(rows, key=lambda row: -float(row["confidence"]))[:5]
    kept = sampler.most_real(range(70), 5)
    assert sorted(kept) == sorted(int(row["seed"]) for row in best)


def test_a_discriminator_that_is_very_sure_still_ranks(tmp_path, sampler):
    before = sampler.most_real(range(10), 10)
    logits = sampler.discriminator.layers[-1]
    logits.bias.assign([-200.0])  # a million times too sure for float32's exp
    assert sampler.most_real(range(10), 10) == before
    Images(Settings()).write(sampler, tmp_path, before)
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert 0 < float(rows[0]["confidence"]) < 1e-80


def test_network_round_trip(workplace):
    run = create_run(Settings(), "drawn-faces")
    with pytest.raises(InputError, match=r"There is no .*generator\.keras"):
        load_network(run, run.generator_file)
    generator = build_generator(32, latent_dim=8, width=4)
    generator.save(run.generator_file)
    latents = latents_of([1, 2], 8)
    loaded = load_network(run, run.generator_file)
    np.testing.assert_allclose(loaded(latents), generator(latents), atol=1e-6)


@pytest.mark.parametrize("damage", [lambda d: d[: len(d) // 2], lambda d: b"", lambda d: b"x" * 99])
def test_damaged_network_is_one_sentence(workplace, damage):
    run = create_run(Settings(), "drawn-faces")
    build_generator(32, latent_dim=8, width=4).save(run.generator_file)
    run.generator_file.write_bytes(damage(run.generator_file.read_bytes()))
    with pytest.raises(InputError, match=r"generator\.keras' cannot be loaded"):
        load_network(run, run.generator_file)


def test_free_folder_never_takes_one_with_something_in_it(tmp_path):
    folder = tmp_path / "a"
    assert free_folder(folder, may_be_empty=True) == folder and folder.is_dir()
    assert free_folder(folder, may_be_empty=True) == folder
    # Of two processes that begin at once, the second one finds the empty folder of the first.
    assert free_folder(folder, may_be_empty=False) == tmp_path / "a-2"
    (folder / "x").touch()
    assert free_folder(folder, may_be_empty=True) == tmp_path / "a-2"
    with pytest.raises(InputError, match="Pictures need a folder, not a file"):
        free_folder(folder / "x", may_be_empty=True)


def test_a_root_folder_cannot_be_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(*tmp_path.parts[:2]))  # one level below
    for root in (Path(tmp_path.anchor), Path("..")):
        said = re.escape(f"Pictures need a folder below the root: out={str(root)!r}.")
        with pytest.raises(InputError, match=said):
            free_folder(root, may_be_empty=True)


def test_the_folder_one_is_in_gets_a_numbered_sibling(tmp_path, monkeypatch):
    here = tmp_path / "faces"
    (here / "below").mkdir(parents=True)
    monkeypatch.chdir(here)
    assert free_folder(Path("."), may_be_empty=True) == tmp_path / "faces-2"
    monkeypatch.chdir(here / "below")
    assert free_folder(Path(".."), may_be_empty=True) == tmp_path / "faces-2"
