import keras
import numpy as np
import pytest
import tensorflow as tf

from balanced_gan.model import convolutions
from balanced_gan.model.layers import UpsampledConv2D


def gradients_of(layer, x, weights):
    """What a layer gives, and its gradients."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(weights * y**2)
    return [y, *tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])]


@pytest.mark.parametrize("side", [4, 5, 16, 20])  # nine products up to 16, then sixteen
def test_upsampled_convolution_is_upsampling_and_convolution(side):
    x = keras.random.normal((2, side, side, 5), seed=0)
    layer = UpsampledConv2D(7, 3, padding="same", use_bias=False)
    convolution = keras.layers.Conv2D(7, 3, padding="same", use_bias=False)
    expected = keras.Sequential([keras.layers.UpSampling2D(2), convolution])
    for each in (layer, expected):
        each.build(x.shape)
    expected.set_weights(layer.get_weights())
    weights = keras.random.normal((2, 2 * side, 2 * side, 7), seed=1)
    for ours, kerass in zip(
        *(gradients_of(each, x, weights) for each in (layer, expected)), strict=True
    ):
        np.testing.assert_allclose(ours, kerass, rtol=1e-4, atol=1e-5 * np.abs(kerass).max())


def test_bfloat16_never_sums_rounded_products(monkeypatch):
    used = []
    for name in ("nine_products", "sixteen_products"):
        monkeypatch.setattr(convolutions, name, lambda *_, name=name: used.append(name))
    for dtype in ("float32", "bfloat16"):
        convolutions.upsample_and_convolve(
            tf.ones((1, 4, 4, 2), dtype), tf.ones((3, 3, 2, 3), dtype)
        )
    assert used == ["nine_products", "sixteen_products"]
