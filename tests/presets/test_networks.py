"""Shapes and sizes against the numbers of the systems themselves."""

import keras
import numpy as np
import pytest

from balanced_gan.presets.networks import NETWORKS
from balanced_gan.presets.table import PRESETS
from balanced_gan.settings import Settings, preset_values


def build(preset, **changes):
    """`(generator, discriminator)` of a preset."""
    settings = Settings(**{**preset_values(preset), **changes})
    generator, discriminator = NETWORKS[settings.networks]
    size = settings.image_size, settings.channels
    return (
        generator(*size, settings.latent_dim, settings.width),
        discriminator(*size, settings.width, settings.dropout),
    )


@pytest.mark.parametrize(
    "preset, in_generator, in_discriminator",
    [
        # 100 -> 4x4x1024 -> 512 -> 256 -> 128 -> 3, 5x5; 128 -> 256 -> 512 -> 1024 -> 1, 5x5
        ("original", 18_937_603, 17_231_105),
        # 2-16-32-2; 2-256-128-64-1
        ("sine", 658, 41_985),
        # 50-512-1024-2048-4096-4096; 4096-2048-1024-512-1
        ("mugshots", 27_824_640, 11_014_145),
        # 32 -> 16x16x128 -> 256 -> 3 x 256 -> 2 x 512 -> 3; 5 x 256 -> 6x6x256 -> 1
        ("celeba128", 14_953_987, 4_211_713),
        # What PyTorch counts, 3,576,704 and 2,765,568, and the moving statistics of 960 and
        # 896 channels, which it does not count.
        ("dcgan", 3_576_704 + 2 * 960, 2_765_568 + 2 * 896),
        ("balanced", 859_563, 964_369),
    ],
)
def test_parameter_counts(preset, in_generator, in_discriminator):
    generator, discriminator = build(preset)
    assert generator.count_params() == in_generator
    assert discriminator.count_params() == in_discriminator


def outputs(network, kind):
    """Shapes of what the layers of a kind give, without the batch."""
    return [layer.output.shape[1:] for layer in network.layers if isinstance(layer, kind)]


CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)


def test_layers_of_original():
    generator, discriminator = build("original")
    assert outputs(generator, CONVOLUTIONS) == [
        (8, 8, 512),
        (16, 16, 256),
        (32, 32, 128),
        (64, 64, 3),
    ]
    assert outputs(discriminator, CONVOLUTIONS) == [
        (32, 32, 128),
        (16, 16, 256),
        (8, 8, 512),
        (4, 4, 1024),
    ]
    assert len(outputs(discriminator, keras.layers.Dropout)) == 4


def test_layers_of_mugshots():
    generator, discriminator = build("mugshots")
    widths = [shape[0] for shape in outputs(generator, keras.layers.Dense)]
    assert widths == [512, 1024, 2048, 4096, 64 * 64]
    assert [s[0] for s in outputs(discriminator, keras.layers.Dense)] == [2048, 1024, 512, 1]


def test_layers_of_celeba128():
    generator, discriminator = build("celeba128")
    assert outputs(generator, CONVOLUTIONS) == [
        (16, 16, 256),
        (32, 32, 256),
        (64, 64, 256),
        (128, 128, 256),
        (128, 128, 512),
        (128, 128, 512),
        (128, 128, 3),
    ]
    assert [shape[0] for shape in outputs(discriminator, CONVOLUTIONS)] == [126, 62, 30, 14, 6]


def test_layers_of_dcgan():
    generator, discriminator = build("dcgan")
    assert outputs(generator, CONVOLUTIONS) == [
        (8, 8, 256),
        (16, 16, 128),
        (32, 32, 64),
        (64, 64, 3),
    ]
    assert outputs(discriminator, CONVOLUTIONS) == [
        (32, 32, 64),
        (16, 16, 128),
        (8, 8, 256),
        (4, 4, 512),
    ]
    kernels = np.concatenate([w.numpy().ravel() for w in discriminator.weights if w.ndim == 4])
    assert kernels.std() == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize("preset", PRESETS)
def test_batchnorm_in_the_discriminator_only_where_the_system_had_it(preset):
    _, discriminator = build(preset)
    norms = outputs(discriminator, keras.layers.BatchNormalization)
    assert len(norms) == (3 if preset == "dcgan" else 0)


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "sine"])
@pytest.mark.parametrize("size, channels", [(48, 1), (64, 3), (128, 3)])
def test_other_sizes_and_channels(preset, size, channels):
    generator, discriminator = build(preset, image_size=size, channels=channels, width=4)
    pictures = np.asarray(generator(np.zeros((2, generator.input_shape[1]), "float32")))
    assert pictures.shape == (2, size, size, channels) and abs(pictures).max() <= 1
    assert discriminator(pictures).shape == (2, 1)


def test_every_architecture_on_offer_can_be_built():
    assert set(Settings.__dataclass_fields__["networks"].metadata["choices"]) == NETWORKS.keys()


def test_the_seed_governs_dcgans_weights():
    def weights(seed):
        keras.utils.set_random_seed(seed)
        first, second = (build("dcgan", width=4)[1] for _ in range(2))
        return np.concatenate([w.ravel() for w in first.get_weights() + second.get_weights()])

    one, again, other = weights(1), weights(1), weights(2)
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    assert not np.array_equal(*np.split(one, 2))  # each kernel has numbers of its own
