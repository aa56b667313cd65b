import numpy as np
import pytest
from PIL import Image

from balanced_gan import InputError, Settings, build_generator
from balanced_gan.run import create_run
from balanced_gan.sampling import free_folder, generate_files, latents_of, load_generator


def test_latents_depend_on_their_own_seed_only():
    np.testing.assert_array_equal(latents_of([3, 4], 8)[1], latents_of([4], 8)[0])
    many = latents_of(range(500), 16)
    assert many.shape == (500, 16) and many.dtype == np.float32
    assert abs(many.mean()) < 0.05 and many.std() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(latents_of([3], 8, truncation=0.5), latents_of([3], 8) / 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_files_and_sheet(tmp_path, channels):
    generator = build_generator(32, channels, latent_dim=8, width=4)
    page = generate_files(generator, tmp_path / "a", 70, seed=5)
    files = sorted(path.name for path in (tmp_path / "a").glob("seed-*.png"))
    assert files == [f"seed-{n:06d}.png" for n in range(5, 75)]
    assert Image.open(page).size == (9 * 32, 8 * 32)
    # One alone, from the number in its name, is the same picture.
    generate_files(generator, tmp_path / "b", 1, seed=73)
    again, before = (
        np.asarray(Image.open(tmp_path / folder / "seed-000073.png")) for folder in "ab"
    )
    assert abs(again.astype(int) - before).max() <= 1


def test_generator_round_trip(workplace):
    run = create_run(Settings())
    with pytest.raises(InputError, match="nothing was trained"):
        load_generator(run)
    generator = build_generator(32, latent_dim=8, width=4)
    run.save_generator(generator)
    latents = latents_of([1, 2], 8)
    np.testing.assert_allclose(load_generator(run)(latents), generator(latents), atol=1e-6)


@pytest.mark.parametrize("damage", [lambda d: d[: len(d) // 2], lambda d: b"", lambda d: b"x" * 99])
def test_damaged_generator_is_one_sentence(workplace, damage):
    run = create_run(Settings())
    run.save_generator(build_generator(32, latent_dim=8, width=4))
    run.generator_file.write_bytes(damage(run.generator_file.read_bytes()))
    with pytest.raises(InputError, match=r"generator\.keras' cannot be loaded"):
        load_generator(run)


def test_free_folder_never_takes_one_with_something_in_it(tmp_path):
    folder = tmp_path / "a"
    assert free_folder(folder) == folder
    folder.mkdir()
    assert free_folder(folder) == folder
    (folder / "x").touch()
    assert free_folder(folder) == tmp_path / "a-2"
    with pytest.raises(InputError, match="Pictures cannot go to a file"):
        free_folder(folder / "x")
