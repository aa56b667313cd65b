"""The two networks: a generator with BatchNorm and a discriminator without it.

BatchNorm in the discriminator would let it compare pictures within a batch, so its
logits, and with them the losses that the rule of balance reads, would depend on the
company a picture is in.

Both sides halve or double the picture in steps of two between its full size and a base of
4 to 7 pixels; widths double towards the base, from `width` up to four times that. At
64x64 the generator costs 0.29 GFLOP a picture forward and the discriminator 0.17.
"""

import keras
import tensorflow as tf
from keras import layers, ops

from balanced_gan.distribute import mean
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


def _widths(count, width):
    """Channels at each resolution, from half the full size down to the base."""
    return [width * min(2**level, 4) for level in range(count)]


@keras.saving.register_keras_serializable("balanced_gan")
class UpsampledConv2D(layers.Conv2D):
    """Nearest-neighbour upsampling by two and a 3x3 convolution, in one step.

    After upsampling, the three taps of the kernel along an axis fall on only two different
    pixels. So the same sums, but for rounding, come from a transposed convolution of stride
    two whose four taps are sums of the three: 4 products a pixel and channel instead of 9, and
    no upsampled picture in between. A batch costs a fifth less (`benchmarks/ablations.md`).

    Args:
        filters: channels to put out.
        kernel_size: 3.
        padding: "same".
        **kwargs: as for `keras.layers.Conv2D`.
    """

    # Where the picture is smaller, moving the wider kernel about costs more than it saves.
    _SMALLEST = 8

    def call(self, inputs):
        """(B, S, S, C) -> (B, 2 S, 2 S, filters)."""
        if inputs.shape[1] < self._SMALLEST:
            return super().call(ops.repeat(ops.repeat(inputs, 2, axis=1), 2, axis=2))
        kernel = ops.transpose(self.kernel, (0, 1, 3, 2))
        for axis in (0, 1):
            first, middle, last = ops.unstack(kernel, axis=axis)
            kernel = ops.stack([last, middle + last, first + middle, first], axis=axis)
        return ops.conv_transpose(inputs, kernel, 2, padding="same")

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return batch, 2 * height, 2 * width, self.filters


def _follow(norm, mean, variance):
    """Moves the moving statistics of a BatchNorm layer towards those of a batch."""
    for moving, now in ((norm.moving_mean, mean), (norm.moving_variance, variance)):
        moving.assign(norm.momentum * moving + (1 - norm.momentum) * now)


@keras.saving.register_keras_serializable("balanced_gan")
class FusedBatchNormalization(layers.BatchNormalization):
    """Keras's BatchNorm; while training, in one operation of TensorFlow's.

    Keras's takes a dozen, each over all activations and in float32; this one reads bfloat16 and
    takes the ReLU behind it along: a turn of G 53 instead of 71 ms, one of D 51 instead of 59
    (benchmarks/ablations.md).
    """

    def call(self, inputs, training=None, mask=None):
        """Shapes as in Keras's layer; channels last, without a mask."""
        if not training:
            return super().call(inputs, training, mask)
        flat = len(inputs.shape) == 2
        x = inputs[:, None, None, :] if flat else inputs
        result = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.gamma,
            offset=self.beta,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            exponential_avg_factor=1.0,
            data_format="NHWC",
            is_training=True,
        )
        # It puts out the variance of a sample, n / (n - 1) of what Keras averages.
        count = ops.cast(ops.size(x) // x.shape[-1], "float32")
        _follow(self, result.batch_mean, result.batch_variance * (count - 1) / count)
        return result.y[:, 0, 0, :] if flat else result.y


@keras.saving.register_keras_serializable("balanced_gan")
class SharedBatchNormalization(layers.BatchNormalization):
    """BatchNorm whose statistics are those of the whole batch, not of one replica's part.

    Keras has it too (`synchronized`), but its gradient can be asked for only where the forward
    pass was called, and ours is asked for in the turn of one network.
    """

    def call(self, inputs, training=None, mask=None):
        """Shapes as in Keras's layer; channels last, without a mask."""
        if not training:
            return super().call(inputs, training, mask)
        x = ops.cast(inputs, "float32")
        axes = list(range(len(inputs.shape) - 1))
        (moments,) = mean([ops.stack([ops.mean(x, axes), ops.mean(ops.square(x), axes)])])
        middle = moments[0]
        variance = ops.maximum(moments[1] - ops.square(middle), 0)
        _follow(self, middle, variance)
        offset, scale = (ops.cast(weight, "float32") for weight in (self.beta, self.gamma))
        normal = ops.batch_normalization(x, middle, variance, -1, offset, scale, self.epsilon)
        return ops.cast(normal, self.compute_dtype)


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
        kind = layers.Conv2D if layer.name in upsampled else type(layer)
        if isinstance(layer, layers.BatchNormalization):
            kind = layers.BatchNormalization
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
        width: channels at half the full size; half of them at the full size, 2 and 4 times as
            many in deeper stages.

    Returns:
        A `keras.Model`, (B, latent_dim) -> (B, image_size, image_size, channels) in [-1, 1].

    Raises:
        ValueError: for an `image_size` that `stages` refuses.
    """
    base, count = stages(image_size)
    *upper, deepest = _widths(count, width)
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(base * base * deepest, use_bias=False)(latents)
    x = normalise(layers.Reshape((base, base, deepest))(x))
    for channels_out in (*reversed(upper), width // 2):
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
        width: channels at half the full size; deeper stages have 2 and 4 times as many.
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
    for channels_out in _widths(count, width):
        x = layers.Conv2D(channels_out, 4, strides=2, padding="same")(x)
        x = drop(layers.LeakyReLU(negative_slope=0.2)(x), dropout)
    logits = layers.Dense(1, dtype="float32", name="logits")(layers.Flatten()(x))
    return keras.Model(pictures, logits, name="discriminator")
