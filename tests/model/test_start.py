import dataclasses

import keras
import numpy as np
import pytest

from balanced_gan.errors import InputError
from balanced_gan.model import start
from balanced_gan.model.build import build_gan
from balanced_gan.output.images import to_uint8
from balanced_gan.runs.checkpoints import load_checkpoint
from balanced_gan.runs.registry import create_run, matching_run
from balanced_gan.settings import STARTS, Settings
from balanced_gan.training import choose_start
from balanced_gan.training.train import train


def gan_of(**changes):
    return build_gan(Settings(precision="float32", **changes))


def pictures_of(gan, count=16):
    return gan.generate(count)


def roughness(pictures):
    """How unlike neighbouring pixels are, of how unlike any are."""
    return abs(np.diff(pictures, axis=2)).mean() / pictures.std()


@pytest.mark.parametrize("name", STARTS)
def test_a_shipped_start_is_whole_and_makes_what_it_learned(name):
    gan = gan_of()
    before = roughness(pictures_of(gan))
    begins = choose_start.load_start(name)
    assert set(start.parts(gan.generator, gan.discriminator)) == set(begins.arrays) - {"outlines"}
    start.apply_start(gan, begins, None)
    for part, variable in start.parts(gan.generator, gan.discriminator).items():
        np.testing.assert_array_equal(variable.numpy(), begins.arrays[part])
    pictures = pictures_of(gan)
    assert roughness(pictures) < before / 2  # untrained, it makes noise
    logits = gan.discriminator(pictures).numpy()
    assert np.isfinite(logits).all()


def test_the_nearest_start_is_chosen():
    for name in STARTS:
        gan = gan_of(seed=3)
        start.apply_start(gan, choose_start.load_start(name), None)
        pictures = to_uint8(gan.generate(64))
        assert choose_start.choose_start(pictures).name == name
        assert choose_start.choose_start(pictures[:1, ..., :1]).name in STARTS  # a single grey one


def test_wider_networks_do_as_the_start_does():
    narrow, wide = gan_of(width=8, latent_dim=8), gan_of(width=16, latent_dim=8)
    narrow.generate(2)
    narrow.generator.set_weights(narrow.ema_generator.get_weights())
    begins = start.Start("narrow", start.arrays_of(narrow.generator, narrow.discriminator))
    start.apply_start(wide, begins, None)
    latents = keras.random.normal((8, 8), seed=1)
    both = [gan.generator(latents, training=True).numpy() for gan in (narrow, wide)]
    assert abs(both[0] - both[1]).mean() < 0.05 * abs(both[0]).mean()
    logits = [gan.discriminator(both[0]).numpy() for gan in (narrow, wide)]
    np.testing.assert_allclose(*logits, atol=0.1 * abs(logits[0]).mean() + 0.02)


@pytest.mark.parametrize(
    "changes", [{"image_size": 32}, {"image_size": 96}, {"image_size": 128}, {"channels": 1},
                {"latent_dim": 16}, {"latent_dim": 300}, {"width": 20}],
)  # fmt: skip
def test_other_shapes_take_what_fits(changes):
    gan = gan_of(**changes)
    fresh = {
        name: variable.numpy()
        for name, variable in start.parts(gan.generator, gan.discriminator).items()
    }
    size, channels = gan.generator.output_shape[2:]
    samples = np.random.default_rng(0).integers(0, 255, (20, size, size, channels), np.uint8)
    start.apply_start(gan, choose_start.load_start("neutral"), samples)
    taken = [
        name for name, variable in start.parts(gan.generator, gan.discriminator).items()
        if name.endswith("kernel") and not np.array_equal(variable.numpy(), fresh[name])
    ]  # fmt: skip
    assert len(taken) >= 6  # of ten, at 64x64
    assert np.isfinite(pictures_of(gan, 4)).all()


@pytest.mark.parametrize(
    "of_start, wanted",
    [
        ({"channels": 1}, {"image_size": 128}),  # colours from grey, with a stage more
        ({"width": 130}, {"width": 130, "image_size": 96}),  # resizes a base of 520 channels
    ],
)
def test_a_start_of_any_shape_gives_finite_networks(of_start, wanted):
    small = {"width": 8, "latent_dim": 8}
    trained = gan_of(**small | of_start)
    begins = start.Start("own", start.arrays_of(trained.generator, trained.discriminator))
    gan = gan_of(**small | wanted)
    size = gan.generator.output_shape[1]
    samples = np.random.default_rng(0).integers(0, 255, (4, size, size, 3), np.uint8)
    start.apply_start(gan, begins, samples)
    pictures = pictures_of(gan, 4)
    assert pictures.shape == (4, size, size, 3)
    assert np.isfinite(gan.discriminator(pictures).numpy()).all()


def test_larger_pictures_begin_as_enlarged_ones_in_the_colours_of_the_users():
    small, large = gan_of(), gan_of(image_size=256)
    begins = choose_start.load_start("portraits")
    start.apply_start(small, begins, None)
    # Blue sky over grass: 0.2 for red, 0.6 for green, 0.8 for blue, with some noise.
    colours = np.array([51, 153, 204])
    noise = np.random.default_rng(0).normal(0, 40, (20, 256, 256, 3))
    samples = np.uint8(np.clip(colours + noise, 0, 255))
    start.apply_start(large, begins, samples)
    latents = keras.random.normal((16, 100), seed=1)
    made, enlarged = (gan.generator(latents, training=True).numpy() for gan in (small, large))
    again = enlarged.reshape(16, 64, 4, 64, 4, 3).mean((2, 4))
    for colour in range(3):
        of_one, of_other = made[..., colour].ravel(), again[..., colour].ravel()
        assert np.corrcoef(of_one, of_other)[0, 1] > 0.7
    np.testing.assert_allclose(to_uint8(enlarged).mean((0, 1, 2)), colours, atol=20)
    # The discriminator judges an enlarged picture exactly as the small one.
    blocks = made.repeat(4, 1).repeat(4, 2)
    logits = [small.discriminator(made).numpy(), large.discriminator(blocks).numpy()]
    np.testing.assert_allclose(*logits, rtol=1e-3, atol=1e-3)


def test_a_run_of_ones_own_is_a_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings(
        image_size=32, width=4, steps=2, epochs=None, precision="float32", start="scratch"
    )
    run = create_run(settings, "drawn-faces")
    samples = np.random.default_rng(0).integers(0, 255, (32, 32, 32, 3), np.uint8)
    train(settings, run, samples)
    with monkeypatch.context() as patch:  # which only the chief does: the others would wait for it
        patch.setattr("balanced_gan.model.workers.strategy", lambda: 1 / 0)
        begins = choose_start.load_start(run.name)
    gan = build_gan(settings)
    start.apply_start(gan, begins, None)
    trained = build_gan(settings)
    load_checkpoint(run, trained)
    for ours, theirs in (
        (gan.generator.weights, trained.ema_generator.weights),
        (gan.discriminator.weights, trained.discriminator.weights),
    ):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("name", ["nowhere", "999"])
def test_an_unknown_start_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"start must be .* Received: start='{name}'"):
        choose_start.load_start(name)


def test_other_networks_than_ours_begin_from_scratch():
    settings = Settings(networks="dcgan")
    assert choose_start.find_start(settings, None) is None
    with pytest.raises(InputError, match="networks='dcgan'"):
        choose_start.find_start(dataclasses.replace(settings, start="neutral"), None)


def test_auto_continues_the_run_that_it_began(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = create_run(Settings(start="portraits"), "drawn-faces")
    assert matching_run(Settings())[0] == run
    assert matching_run(Settings(start="neutral"))[0] is None
