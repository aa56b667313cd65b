"""Layers of Keras's that compute the same in less time, and BatchNorm for several replicas.

A network of these is copied into one of Keras's own layers, weight by weight, before it is saved
(`networks.plain_copy`).
"""

import keras
import tensorflow as tf
from keras import layers, ops

from balanced_gan.distribute import mean

# Side of the larger picture up to which `kernel_gradient` pays. From 16x16 to 8x8 it takes 1.7 ms
# instead of 2.6, from 8x8 to 4x4 1.0 instead of 2.3, from 32x32 to 16x16 1.9 instead of 2.1, and
# then bias and LeakyReLU are a pass of their own (16 pictures, bfloat16, benchmarks/layers.py).
_LARGEST = 16


def halve(pictures, kernel):
    """Convolution with a 4x4 kernel and stride two.

    Args:
        pictures: (B, 2 S, 2 S, C).
        kernel: (4, 4, C, D) of the same dtype.

    Returns:
        (B, S, S, D).
    """
    fast = pictures.shape[1] <= _LARGEST
    return _halve(pictures, kernel) if fast else _plainly_halve(pictures, kernel)


def double(pictures, kernel):
    """Transposed convolution with a 4x4 kernel and stride two: the gradient of `halve`.

    Args:
        pictures: (B, S, S, D).
        kernel: (4, 4, C, D) of the same dtype.

    Returns:
        (B, 2 S, 2 S, C).
    """
    fast = 2 * pictures.shape[1] <= _LARGEST
    return _double(pictures, kernel) if fast else _plainly_double(pictures, kernel)


def kernel_gradient(larger, smaller):
    """How the kernel changes `halve` and `double`, as eight products of matrices.

    oneDNN's own gradient of a kernel is, where pictures are small and channels many, two to three
    times as slow as its product of matrices.

    Args:
        larger: what `halve` read, or the gradient of what `double` gave, (B, 2 S, 2 S, C).
        smaller: the gradient of what `halve` gave, or what `double` read, (B, S, S, D).

    Returns:
        (4, 4, C, D).
    """
    side, filters, channels = smaller.shape[1], smaller.shape[3], larger.shape[3]
    padded = tf.pad(larger, [[0, 0], [1, 1], [1, 1], [0, 0]])
    # Two rows belong to each row of the smaller picture, and two columns to each column.
    pairs = tf.reshape(padded, (-1, side + 1, 2, side + 1, 2 * channels))
    smaller = tf.reshape(smaller, (-1, filters))
    products = []
    for row in range(4):
        for pair in range(2):  # of the kernel's columns
            met = pairs[:, row // 2 : row // 2 + side, row % 2, pair : pair + side]
            met = tf.reshape(met, (-1, 2 * channels))
            products.append(tf.matmul(met, smaller, transpose_a=True))
    return tf.reshape(tf.stack(products), (4, 4, channels, filters))


def _plainly_halve(pictures, kernel):
    return tf.nn.conv2d(pictures, kernel, 2, "SAME")


def _plainly_double(pictures, kernel):
    side = 2 * pictures.shape[1]
    shape = tf.stack([tf.shape(pictures)[0], side, side, kernel.shape[2]])
    return tf.nn.conv2d_transpose(pictures, kernel, shape, 2, "SAME")


# Each one's gradient calls the other, so that R1, a gradient of a gradient, is fast too.
@tf.custom_gradient
def _halve(pictures, kernel):
    def gradient(upstream):
        return double(upstream, kernel), kernel_gradient(pictures, upstream)

    return _plainly_halve(pictures, kernel), gradient


@tf.custom_gradient
def _double(pictures, kernel):
    def gradient(upstream):
        return halve(upstream, kernel), kernel_gradient(upstream, pictures)

    return _plainly_double(pictures, kernel), gradient


def _value(kernel):
    """A kernel in the precision of the layer that is being called, as a tensor: a variable's
    gradient `tf.custom_gradient` would want apart."""
    return tf.convert_to_tensor(ops.convert_to_tensor(kernel))


@keras.saving.register_keras_serializable("balanced_gan")
class StridedConv2D(layers.Conv2D):
    """Keras's convolution, with `kernel_gradient`: a batch of preset dcgan takes an eighth less
    (benchmarks/layers.py).

    Args:
        filters: channels to put out.
        kernel_size: 4.
        strides: 2.
        padding: "same".
        **kwargs: as for `keras.layers.Conv2D`.
    """

    def convolution_op(self, inputs, kernel):
        """(B, 2 S, 2 S, C) -> (B, S, S, filters)."""
        return halve(inputs, _value(kernel))


@keras.saving.register_keras_serializable("balanced_gan")
class StridedConv2DTranspose(layers.Conv2DTranspose):
    """Keras's transposed convolution, with `kernel_gradient`.

    Args:
        filters: channels to put out.
        kernel_size: 4.
        strides: 2.
        padding: "same".
        use_bias: False.
        **kwargs: as for `keras.layers.Conv2DTranspose`, without `activation`.
    """

    def call(self, inputs):
        """(B, S, S, C) -> (B, 2 S, 2 S, filters)."""
        return double(inputs, _value(self.kernel))


@keras.saving.register_keras_serializable("balanced_gan")
class UpsampledConv2D(layers.Conv2D):
    """Nearest-neighbour upsampling by two and a 3x3 convolution, in one step.

    After upsampling, the three taps of the kernel along an axis fall on only two different
    pixels. So the same sums, but for rounding, come from a transposed convolution of stride
    two whose four taps are sums of the three: 4 products a pixel and channel instead of 9, and
    no upsampled picture in between. A batch costs a fifth less (benchmarks/layers.py).

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
        return double(inputs, kernel)

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
    takes the ReLU behind it along: a turn of G 44 instead of 50 ms, one of D 40 instead of 42
    (benchmarks/layers.py).
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
