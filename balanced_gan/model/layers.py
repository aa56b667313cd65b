"""The one layer that Keras does not have: upsampling fused with the convolution after it.

Before a network is saved, `networks.plain_copy` copies its weights into Keras's own layers.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from balanced_gan.model.convolutions import upsample_and_convolve


@keras.saving.register_keras_serializable("balanced_gan")
class UpsampledConv2D(layers.Conv2D):
    """Nearest-neighbour upsampling by 2 followed by a 3x3 convolution, fused into one operation.

    The upsampled picture is never built; see `convolutions.upsample_and_convolve`. With Keras's two
    layers, a step takes 1.33 times as long on AVX2 (benchmarks/speed/layers.py).

    Args:
        kernel_size: must be 3.
        padding: must be "same".
        use_bias: must be False.
        **kwargs: as in `keras.layers.Conv2D`, without `activation`.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(B, S, S, C) -> (B, 2 S, 2 S, filters)."""
        # As a tensor in the layer's precision: `tf.custom_gradient` would require a separate
        # gradient for a variable.
        kernel = tf.convert_to_tensor(ops.convert_to_tensor(self.kernel))
        return upsample_and_convolve(inputs, kernel)

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """(B, S, S, C) -> (B, 2 S, 2 S, filters); B may be None."""
        batch, height, width, _ = input_shape
        return batch, 2 * height, 2 * width, self.filters
