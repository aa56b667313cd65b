"""Layers of Keras's that compute the same in less time, and BatchNorm for several replicas.

A network of these is copied into one of Keras's own layers, weight by weight, before it is saved
(`networks.plain_copy`).
"""

import keras
import tensorflow as tf
from keras import layers, ops

from balanced_gan.convolutions import double, halve, upsample_and_convolve
from balanced_gan.distribute import mean


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
    """Nearest-neighbour upsampling by two and a 3x3 convolution, in one step and without the
    upsampled picture: see `convolutions.upsample_and_convolve`.

    Args:
        filters: channels to put out.
        kernel_size: 3.
        padding: "same".
        use_bias: False.
        **kwargs: as for `keras.layers.Conv2D`, without `activation`.
    """

    def call(self, inputs):
        """(B, S, S, C) -> (B, 2 S, 2 S, filters)."""
        return upsample_and_convolve(inputs, _value(self.kernel))

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
