"""Faster versions of Keras layers that compute the same results.

Before a network is saved, `networks.plain_copy` copies its weights into Keras's own layers.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from balanced_gan.model.convolutions import conv_down, conv_up, upsample_and_convolve


def _value(kernel):
    """The kernel as a tensor in the precision of the layer being called.

    `tf.custom_gradient` would require a separate gradient for a variable.
    """
    return tf.convert_to_tensor(ops.convert_to_tensor(kernel))


@keras.saving.register_keras_serializable("balanced_gan")
class StridedConv2D(layers.Conv2D):
    """Keras's `Conv2D` with a faster kernel gradient (`convolutions.kernel_gradient`).

    With oneDNN's, a step of the preset dcgan took 1.00 and 1.22 of the time in bfloat16 (two runs),
    and 1.03 on AVX2 (benchmarks/speed/layers.py).

    Args:
        kernel_size: must be 4.
        strides: must be 2.
        padding: must be "same".
    """

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """(B, 2 S, 2 S, C) -> (B, S, S, filters)."""
        return conv_down(inputs, _value(kernel))


@keras.saving.register_keras_serializable("balanced_gan")
class StridedConv2DTranspose(layers.Conv2DTranspose):
    """Keras's `Conv2DTranspose` with a faster kernel gradient (`convolutions.kernel_gradient`).

    Args:
        kernel_size: must be 4.
        strides: must be 2.
        padding: must be "same".
        use_bias: must be False.
        **kwargs: as in `keras.layers.Conv2DTranspose`, without `activation`.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(B, S, S, C) -> (B, 2 S, 2 S, filters)."""
        return conv_up(inputs, _value(self.kernel))


@keras.saving.register_keras_serializable("balanced_gan")
class UpsampledConv2D(layers.Conv2D):
    """Nearest-neighbour upsampling by 2 followed by a 3x3 convolution, fused into one operation.

    The upsampled picture is never built; see `convolutions.upsample_and_convolve`.

    Args:
        kernel_size: must be 3.
        padding: must be "same".
        use_bias: must be False.
        **kwargs: as in `keras.layers.Conv2D`, without `activation`.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(B, S, S, C) -> (B, 2 S, 2 S, filters)."""
        return upsample_and_convolve(inputs, _value(self.kernel))

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """(B, S, S, C) -> (B, 2 S, 2 S, filters); B may be None."""
        batch, height, width, _ = input_shape
        return batch, 2 * height, 2 * width, self.filters


def update_moving_statistics(
    norm: layers.BatchNormalization, mean: tf.Tensor, variance: tf.Tensor
) -> None:
    """Moves the moving statistics of a BatchNorm layer towards those of a batch, (C,) each."""
    for moving, now in ((norm.moving_mean, mean), (norm.moving_variance, variance)):
        moving.assign(norm.momentum * moving + (1 - norm.momentum) * now)


@keras.saving.register_keras_serializable("balanced_gan")
class FusedBatchNormalization(layers.BatchNormalization):
    """Keras's BatchNorm, which takes a single TensorFlow operation during training.

    Keras uses a dozen operations, each over all activations and in float32. This one reads
    bfloat16 and is fused with the following ReLU. With Keras's, a step of the preset dcgan takes
    1.07 of the time. With the default, no gain can be told from noise: 0.99 on AVX2, and 0.92 in
    bfloat16, where the same network built twice differed by 0.07 (benchmarks/speed/layers.py).
    """

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Shapes are those of Keras's layer, with channels last and no mask."""
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
        # The operation returns the sample variance, n / (n - 1) times the one that Keras averages.
        count = ops.cast(ops.size(x) // x.shape[-1], "float32")
        variance = result.batch_variance * (count - 1) / count
        update_moving_statistics(self, result.batch_mean, variance)
        return result.y[:, 0, 0, :] if flat else result.y
