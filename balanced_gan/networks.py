"""The two networks: a generator with BatchNorm and a discriminator without it.

BatchNorm in the discriminator would let it compare pictures within a batch, so its
logits, and with them the losses that the rule of balance reads, would depend on the
company a picture is in.

Both sides halve or double the picture in steps of two between its full size and a base of
4 to 7 pixels; widths double towards the base, from `width` up to four times that. At
64x64 the generator costs 0.29 GFLOP a picture forward and the discriminator 0.17.
"""

import keras
from keras import layers

from balanced_gan.layers import (
    FusedBatchNormalization,
    SharedBatchNormalization,
    StridedConv2D,
    UpsampledConv2D,
)
from balanced_gan.settings import Settings


def stages(image_size):
    """How often a picture halves until its base is 4 to 7 pixels wide.

    Args:
        image_size: side in pixels.

    Returns:
        `(base, count)` with `image_size == base * 2**count`.

    Raises:
        ValueError: if the size is no such product.
    """
    for count in range(1, 8):
        if 4 <= image_size / 2**count < 8 and image_size % 2**count == 0:
            return image_size // 2**count, count
    raise ValueError(
        "image_size must be 4, 5, 6 or 7 times a power of two, such as 32, 64, 96 or 128. "
        f"Received: image_size={image_size}"
    )


def widths(count, width):
    """Channels of the stages from the base to the full size, counted from the base, so that
    networks for larger pictures are those for smaller ones with more stages (`start`).

    Args:
        count: how often the base doubles.
        width: channels at eight times the base; more below it, up to four times as many, and
            fewer above it, down to 16.

    Returns:
        `count + 1` numbers.
    """
    fewest = min(width // 2, 16)
    return [max(int(4 * width / 2 ** max(level - 1, 0)), fewest) for level in range(count + 1)]


def shared_copy(network):
    """The same network with the same weights, for several replicas.

    Args:
        network: a functional `keras.Model`.

    Returns:
        A `keras.Model` with weights in the same order.
    """

    def copy(layer):
        of_batches = isinstance(layer, layers.BatchNormalization)
        return (SharedBatchNormalization if of_batches else type(layer)).from_config(
            layer.get_config()
        )

    shared = keras.models.clone_model(network, clone_function=copy)
    shared.set_weights(network.get_weights())
    return shared


def is_plain(network):
    """Whether all layers of a network come with Keras."""
    return all(type(layer).__module__.startswith("keras.") for layer in network.layers)


def plain_copy(network):
    """The same network with the same weights, computing in float32, and of layers that come
    with Keras: a saved one opens without this package.

    Args:
        network: a functional `keras.Model`, or a Sequential one without `UpsampledConv2D`.

    Returns:
        A `keras.Model` with weights in the same order.
    """
    upsampled = {layer.name for layer in network.layers if isinstance(layer, UpsampledConv2D)}

    def copy(layer):
        # Each of ours computes as the layer of Keras's does that it is made from.
        kind = next(base for base in type(layer).__mro__ if base.__module__.startswith("keras."))
        return kind.from_config({**layer.get_config(), "dtype": "float32"})

    def call(layer, x, **kwargs):
        if layer.name in upsampled:
            x = layers.UpSampling2D(2, interpolation="nearest", dtype="float32")(x)
        return layer(x, **kwargs)

    # Keras takes no call_function for a Sequential network.
    plain = keras.models.clone_model(
        network, clone_function=copy, call_function=call if upsampled else None
    )
    plain.set_weights(network.get_weights())
    return plain


def build_generator(
    image_size=Settings.image_size,
    channels=Settings.channels,
    latent_dim=Settings.latent_dim,
    width=Settings.width,
):
    """Latents in, pictures out: a dense layer, then nearest-neighbour upsampling and 3x3
    convolutions with BatchNorm and ReLU up to the full size, then one more and tanh.

    Upsampling followed by a convolution leaves no checkerboard (Odena et al. 2016), as
    DCGAN's transposed convolutions do. The stage at full size costs a fifth of a batch's time;
    without it faces kept a pattern of dots, and were 13 % further from real patches after the
    same batches (benchmarks/ablations.md).

    Args:
        image_size: side of the pictures in pixels; see `stages`.
        channels: 3 for colour, 1 for grey.
        latent_dim: length of a latent.
        width: see `widths`.

    Returns:
        A `keras.Model`, (B, latent_dim) -> (B, image_size, image_size, channels) in [-1, 1].

    Raises:
        ValueError: for an `image_size` that `stages` refuses.
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


def pictures_from(x):
    """The last layer of a generator: tanh, in float32 even under mixed precision, since near 1
    a step of bfloat16 is half a grey level."""
    return layers.Activation("tanh", dtype="float32", name="pictures")(x)


def normalise(x):
    """BatchNorm and ReLU."""
    # Momentum 0.9 (Keras: 0.99): the statistics must keep up with a generator that is
    # looked at after a hundred batches.
    return layers.ReLU()(FusedBatchNormalization(momentum=0.9)(x))


def drop(x, share):
    """Dropout, or nothing where the share is 0: a layer less, the same network as without."""
    return layers.Dropout(share)(x) if share else x


def build_discriminator(
    image_size=Settings.image_size,
    channels=Settings.channels,
    width=Settings.width,
    dropout=Settings.dropout,
):
    """Pictures in, logits out: 4x4 convolutions of stride 2 with LeakyReLU, then one dense unit.

    Args:
        image_size: side of the pictures in pixels; see `stages`.
        channels: 3 for colour, 1 for grey.
        width: see `widths`.
        dropout: share of each stage's activations to drop while training.

    Returns:
        A `keras.Model`, (B, image_size, image_size, channels) -> (B, 1) logits in float32;
        positive means "looks real".

    Raises:
        ValueError: for an `image_size` that `stages` refuses.
    """
    _, count = stages(image_size)
    pictures = keras.Input((image_size, image_size, channels), name="pictures")
    x = pictures
    for channels_out in reversed(widths(count, width)[:-1]):
        x = StridedConv2D(channels_out, 4, strides=2, padding="same")(x)
        x = drop(layers.LeakyReLU(negative_slope=0.2)(x), dropout)
    logits = layers.Dense(1, dtype="float32", name="logits")(layers.Flatten()(x))
    return keras.Model(pictures, logits, name="discriminator")
