"""The networks of the systems that the presets reproduce, and all networks by name.

Each builder takes the same arguments as `build_generator` or `build_discriminator` in
`model.networks`, and returns a network with the same inputs and outputs. `width` scales the number
of channels (or units) of all hidden layers.
"""

from collections.abc import Callable

import keras
from keras import layers

from balanced_gan.model.networks import (
    build_discriminator,
    build_generator,
    drop,
    normalise,
    pictures_from,
    stages,
)

# Not an initializer: one that all layers share gives all kernels of one shape the same values, and
# takes its seed when this module is imported.
_NORMAL = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}
_DCGAN = {"use_bias": False, "kernel_initializer": _NORMAL}


def _doubling(image_size, width):
    """`(base, widths)`: side of the smallest stage, and the channels of all stages.

    The first stage has half the full size and `width` channels. They double with each stage, up
    to eight times `width`.
    """
    base, count = stages(image_size)
    return base, [width * min(2**level, 8) for level in range(count)]


def original_generator(image_size: int, channels: int, latent_dim: int, width: int) -> keras.Model:
    """Upsampling and 5x5 convolutions, 18.9 million parameters at 64x64 and width 128."""
    base, widths = _doubling(image_size, width)
    latents = keras.Input((latent_dim,), name="latents")
    x = normalise(layers.Dense(base * base * widths[-1])(latents))
    x = layers.Reshape((base, base, widths[-1]))(x)
    for channels_out in reversed(widths[:-1]):
        x = layers.UpSampling2D(2, interpolation="nearest")(x)
        x = normalise(layers.Conv2D(channels_out, 5, padding="same")(x))
    x = layers.UpSampling2D(2, interpolation="nearest")(x)
    x = layers.Conv2D(channels, 5, padding="same")(x)
    return keras.Model(latents, pictures_from(x), name="generator")


def original_discriminator(
    image_size: int, channels: int, width: int, dropout: float
) -> keras.Model:
    """5x5 convolutions with stride 2, 17.2 million parameters at 64x64 and width 128."""
    pictures = keras.Input((image_size, image_size, channels), name="pictures")
    x = pictures
    for channels_out in _doubling(image_size, width)[1]:
        x = layers.Conv2D(channels_out, 5, strides=2, padding="same")(x)
        x = drop(layers.LeakyReLU(negative_slope=0.2)(x), dropout)
    return _judge(pictures, layers.Flatten()(x))


def points_generator(image_size: int, channels: int, latent_dim: int, width: int) -> keras.Model:
    """Latents to points, with two hidden layers. `image_size` and `channels` are ignored."""
    latents = keras.Input((latent_dim,), name="latents")
    x = _dense_layers(latents, (width, 2 * width))
    points = layers.Dense(2, dtype="float32", name="points")(x)
    return keras.Model(latents, points, name="generator")


def points_discriminator(image_size: int, channels: int, width: int, dropout: float) -> keras.Model:
    """Points to logits, with three hidden layers. `image_size` and `channels` are ignored."""
    points = keras.Input((2,), name="points")
    return _judge(points, _dense_layers(points, (16 * width, 8 * width, 4 * width), dropout))


def dense_generator(image_size: int, channels: int, latent_dim: int, width: int) -> keras.Model:
    """Fully connected, with four hidden layers and one output for each value of the picture."""
    latents = keras.Input((latent_dim,), name="latents")
    x = _dense_layers(latents, (width, 2 * width, 4 * width, 8 * width))
    x = layers.Dense(image_size * image_size * channels)(x)
    x = layers.Reshape((image_size, image_size, channels))(x)
    return keras.Model(latents, pictures_from(x), name="generator")


def dense_discriminator(image_size: int, channels: int, width: int, dropout: float) -> keras.Model:
    """Fully connected, with three hidden layers."""
    pictures = keras.Input((image_size, image_size, channels), name="pictures")
    x = layers.Flatten()(pictures)
    return _judge(pictures, _dense_layers(x, (4 * width, 2 * width, width), dropout))


def celeba128_generator(image_size: int, channels: int, latent_dim: int, width: int) -> keras.Model:
    """Transposed convolutions from an eighth of the size, then two 5x5 convolutions at full size.

    The last two have twice the width and take 0.3 TFLOP a picture at 128x128 and width 256.
    """
    base = image_size // 8
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.LeakyReLU()(layers.Dense(base * base * (width // 2))(latents))
    x = layers.Reshape((base, base, width // 2))(x)
    x = layers.LeakyReLU()(layers.Conv2D(width, 5, padding="same")(x))
    for _ in range(3):
        x = layers.LeakyReLU()(layers.Conv2DTranspose(width, 4, strides=2, padding="same")(x))
    for _ in range(2):
        x = layers.LeakyReLU()(layers.Conv2D(2 * width, 5, padding="same")(x))
    x = layers.Conv2D(channels, 7, padding="same")(x)
    return keras.Model(latents, pictures_from(x), name="generator")


def celeba128_discriminator(
    image_size: int, channels: int, width: int, dropout: float
) -> keras.Model:
    """Five unpadded convolutions of the same width, with dropout only before the logits."""
    pictures = keras.Input((image_size, image_size, channels), name="pictures")
    x = layers.LeakyReLU()(layers.Conv2D(width, 3)(pictures))
    for _ in range(4):
        x = layers.LeakyReLU()(layers.Conv2D(width, 4, strides=2)(x))
    return _judge(pictures, drop(layers.Flatten()(x), dropout))


def dcgan_generator(image_size: int, channels: int, latent_dim: int, width: int) -> keras.Model:
    """Transposed convolutions, BatchNorm and ReLU (Radford et al. 2015)."""
    base, widths = _doubling(image_size, width)
    latents = keras.Input((latent_dim,), name="latents")
    # The original's first transposed convolution, from 1x1 to 4x4, is equivalent to a dense layer.
    x = layers.Dense(base * base * widths[-1], **_DCGAN)(latents)
    x = layers.ReLU()(_dcgan_norm(layers.Reshape((base, base, widths[-1]))(x)))
    for channels_out in reversed(widths[:-1]):
        x = layers.Conv2DTranspose(channels_out, 4, strides=2, padding="same", **_DCGAN)(x)
        x = layers.ReLU()(_dcgan_norm(x))
    x = layers.Conv2DTranspose(channels, 4, strides=2, padding="same", **_DCGAN)(x)
    return keras.Model(latents, pictures_from(x), name="generator")


def dcgan_discriminator(image_size: int, channels: int, width: int, dropout: float) -> keras.Model:
    """Strided convolutions with BatchNorm in all but the first and last layer.

    No other discriminator here has BatchNorm.
    """
    pictures = keras.Input((image_size, image_size, channels), name="pictures")
    x = pictures
    for level, channels_out in enumerate(_doubling(image_size, width)[1]):
        x = layers.Conv2D(channels_out, 4, strides=2, padding="same", **_DCGAN)(x)
        x = _dcgan_norm(x) if level else x
        x = drop(layers.LeakyReLU(negative_slope=0.2)(x), dropout)
    return _judge(pictures, layers.Flatten()(x), **_DCGAN)


def _dcgan_norm(x):
    scale = keras.initializers.RandomNormal(1.0, 0.02)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer=scale)(x)


def _dense_layers(x, widths, dropout=0.0):
    for units in widths:
        x = drop(layers.Dense(units, activation="relu")(x), dropout)
    return x


def _judge(inputs, features, **kwargs):
    logits = layers.Dense(1, dtype="float32", name="logits", **kwargs)(features)
    return keras.Model(inputs, logits, name="discriminator")


# The builders of generator and discriminator for each value of `Settings.networks`.
NETWORKS: dict[str, tuple[Callable[..., keras.Model], Callable[..., keras.Model]]] = {
    "light": (build_generator, build_discriminator),
    "original": (original_generator, original_discriminator),
    "points": (points_generator, points_discriminator),
    "dense": (dense_generator, dense_discriminator),
    "celeba128": (celeba128_generator, celeba128_discriminator),
    "dcgan": (dcgan_generator, dcgan_discriminator),
}
