import keras
import numpy as np
import pytest

from balanced_gan import build_discriminator, build_generator
from balanced_gan.model.networks import plain_copy, stages
from balanced_gan.settings import Settings


@pytest.mark.parametrize("size", [32, 64, 96, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_and_ranges(size, channels):
    generator = build_generator(size, channels, latent_dim=8, width=4)
    discriminator = build_discriminator(size, channels, width=4)
    latents = np.random.default_rng(0).standard_normal((3, 8)).astype("float32")
    pictures = np.asarray(generator(latents, training=True))
    assert pictures.shape == (3, size, size, channels) and pictures.dtype == np.float32
    assert abs(pictures).max() <= 1
    assert discriminator(pictures).shape == (3, 1)


def test_batchnorm_in_the_generator_only():
    def norms(network):
        return [la for la in network.layers if isinstance(la, keras.layers.BatchNormalization)]

    assert len(norms(build_generator())) == 5
    assert norms(build_discriminator()) == []


def test_default_parameter_counts():
    assert build_generator().count_params() == 859_563
    assert build_discriminator().count_params() == 964_369


@pytest.mark.usefixtures("bfloat16_works")
def test_outputs_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator, discriminator = build_generator(32, width=4), build_discriminator(32, width=4)
    finally:
        keras.config.set_dtype_policy("float32")
    assert generator.layers[1].compute_dtype == "bfloat16"
    pictures = generator(np.zeros((2, 100), "float32"))
    assert pictures.dtype == "float32" and discriminator(pictures).dtype == "float32"


@pytest.mark.parametrize("size", [0, 1, 7, 31, 66, 100, 1000])
def test_sizes_that_do_not_halve_are_refused(size):
    with pytest.raises(ValueError, match=f"Received: image_size={size}"):
        stages(size)


def test_every_size_on_offer_can_be_built():
    choices = Settings.__dataclass_fields__["image_size"].metadata["choices"]
    assert all(base * 2**count == size for size in choices for base, count in [stages(size)])


def test_a_generator_in_training_can_be_saved_and_loaded(tmp_path):
    generator = build_generator(32, width=4, latent_dim=8)
    generator.save(tmp_path / "generator.keras")
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    latents = keras.random.normal((3, 8), seed=0)
    np.testing.assert_allclose(loaded(latents), generator(latents), atol=1e-6)


class Doubled(keras.layers.Dense):
    """A layer as users write them."""

    def call(self, inputs):
        return 2 * super().call(inputs)


def test_a_plain_copy_keeps_the_layers_of_others():
    network = keras.Sequential([keras.Input((8,)), Doubled(3)])
    latents = keras.random.normal((3, 8), seed=0)
    np.testing.assert_array_equal(plain_copy(network)(latents), network(latents))


def test_a_plain_copy_makes_the_same_pictures_without_layers_of_ours():
    generator = build_generator(32, width=4, latent_dim=8)
    copy = plain_copy(generator)
    assert all(type(layer).__module__.startswith("keras.") for layer in copy.layers)
    latents = keras.random.normal((3, 8), seed=0)
    np.testing.assert_allclose(copy(latents), generator(latents), atol=1e-5)
