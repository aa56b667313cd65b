"""The two networks: a generator with BatchNorm and a discriminator without it.

BatchNorm would let the discriminator compare the pictures within a batch. Its logits, and with
them the losses that the balance rule reads, would then depend on the other pictures in the batch.

Each stage halves or doubles the picture's side, between its full size and a base of 4 to 7 pixels.
Widths double towards the base, to at most four times `width`. At 64x64 the forward pass takes
0.14 GFLOP a picture in the generator (16 products for each pixel before upsampling) and 0.10 in
the discriminator.
"""

from typing import Any

import keras
from keras import layers

from balanced_gan.model.layers import UpsampledConv2D
from balanced_gan.settings import Settings


def stages(image_size: int) -> tuple[int, int]:
    """The base of a picture, 4 to 7 pixels, and the number of halvings from its side to the base.

    Returns:
        `(base, count)` with `image_size == base * 2**count`.

    Raises:
        ValueError: if no base from 4 to 7 fits.
    """
    for count in range(1, 8):
        if 4 <= image_size / 2**count < 8 and image_size % 2**count == 0:
            return image_size // 2**count, count
    raise ValueError(
        "image_size must be 4, 5, 6 or 7 times a power of two, such as 32, 64, 96 or 128. "
        f"Received: image_size={image_size}"
    )


def widths(count: int, width: int) -> list[int]:
    """The channels of each stage, from the base to the full size.

    They are counted from the base, so that a network for larger pictures is one for smaller
    pictures with more stages (see `start`). The base doubles `count` times, which gives
    `count + 1` numbers.

    Args:
        width: channels at eight times the base. Smaller stages have up to four times as many,
            larger ones fewer, down to 16.
    """
    fewest = min(width // 2, 16)
    return [max(int(4 * width / 2 ** max(level - 1, 0)), fewest) for level in range(count + 1)]


def plain_copy(network: keras.Model) -> keras.Model:
    """Copies a network in float32, with Keras's layers in place of this package's.

    When saved, the copy opens without this package. Its weights are in the same order.

    Args:
        network: functional, or Sequential without `UpsampledConv2D`.
    """
    upsampled = {layer.name for layer in network.layers if type(layer) is UpsampledConv2D}

    def copy(layer):
        # Each of our layers computes the same as the Keras layer that it derives from, apart from
        # the upsampling, which `call` adds.
        kinds = type(layer).__mro__
        kind = next(kind for kind in kinds if not kind.__module__.startswith("balanced_gan."))
        return kind.from_config({**layer.get_config(), "dtype": "float32"})

    def call(layer, x, **kwargs):
        if layer.name in upsampled:
            x = layers.UpSampling2D(2, interpolation="nearest", dtype="float32")(x)
        return layer(x, **kwargs)

    # Keras does not accept a call_function for a Sequential network.
    plain = keras.models.clone_model(
        network, clone_function=copy, call_function=call if upsampled else None
    )
    plain.set_weights(network.get_weights())
    return plain


def build_generator(
    image_size: int = Settings.image_size,
    channels: int = Settings.channels,
    latent_dim: int = Settings.latent_dim,
    width: int = Settings.width,
) -> keras.Model:
    """Builds the generator: latents in, pictures out.

    A dense layer is followed by nearest-neighbour upsampling and 3x3 convolutions with BatchNorm
    and ReLU up to the full size, then by a last convolution and tanh.

    Upsampling before a convolution leaves no checkerboard (Odena et al. 2016), unlike DCGAN's
    transposed convolutions. The stage at full size takes a fifth of a step's time. Without it,
    faces kept a dot pattern and were 13 % further from real patches after the same number of steps
    (benchmarks/ablations.md).

    Args:
        image_size: side of the pictures in pixels; see `stages`.
        channels: 3 for colour, 1 for grey.
        width: see `widths`.

    Returns:
        (B, latent_dim) -> (B, image_size, image_size, channels) in [-1, 1].

    Raises:
        ValueError: if `stages` refuses `image_size`.
    """
    base, count = stages(image_size)
    deepest, *others = widths(count, width)
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(base * base * deepest, use_bias=False)(latents)
    x = normalise(layers.Reshape((base, base, deepest))(x))
    for channels_out in others:
        x = normalise(UpsampledConv2D(channels_out, 3, padding="same", use_bias=False)(x))
    x = layers.Conv2D(channels, 3, padding="same")(x)
    return keras.Model(latents, pictures_from(x), name="generator")


def pictures_from(x: Any) -> Any:
    """The last layer of a generator: tanh.

    It computes in float32 even under mixed precision, because near 1 the spacing of bfloat16
    numbers is half a grey level.
    """
    return layers.Activation("tanh", dtype="float32", name="pictures")(x)


def normalise(x: Any) -> Any:
    """BatchNorm and ReLU."""
    # Momentum 0.9 (Keras: 0.99), because the first pictures are made after a hundred steps and
    # the statistics must keep up with the generator.
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def drop(x: Any, share: float) -> Any:
    """Dropout, or no layer at all if the share is 0."""
    return layers.Dropout(share)(x) if share else x


def build_discriminator(
    image_size: int = Settings.image_size,
    channels: int = Settings.channels,
    width: int = Settings.width,
    dropout: float = Settings.dropout,
) -> keras.Model:
    """Builds the discriminator: pictures in, logits out.

    4x4 convolutions with stride 2 and LeakyReLU are followed by one dense unit.

    Args:
        image_size, channels, width: as in `build_generator`.
        dropout: share of each stage's activations to drop during training.

    Returns:
        (B, image_size, image_size, channels) -> (B, 1) logits in float32; positive means "looks
        real".

    Raises:
        ValueError: if `stages` refuses `image_size`.
    """
    _, count = stages(image_size)
    pictures = keras.Input((image_size, image_size, channels), name="pictures")
    x = pictures
    for channels_out in reversed(widths(count, width)[:-1]):
        x = layers.Conv2D(channels_out, 4, strides=2, padding="same")(x)
        x = drop(layers.LeakyReLU(negative_slope=0.2)(x), dropout)
    logits = layers.Dense(1, dtype="float32", name="logits")(layers.Flatten()(x))
    return keras.Model(pictures, logits, name="discriminator")
