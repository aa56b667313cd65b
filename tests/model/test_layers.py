import keras
import numpy as np
import pytest
import tensorflow as tf

from balanced_gan.model.convolutions import nine_products
from balanced_gan.model.layers import (
    FusedBatchNormalization,
    StridedConv2D,
    StridedConv2DTranspose,
    UpsampledConv2D,
)


def gradients_of(layer, x, weights):
    """What a layer gives, its gradients, and those of its slope, as R1 asks for them."""
    variables = [variable.value for variable in layer.trainable_variables]
    with tf.GradientTape() as outer:
        with tf.GradientTape(persistent=True) as inner:
            inner.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(weights * y**2)
        first = inner.gradient(loss, [x, *variables])
        slope = tf.reduce_sum(first[0] ** 2)
    return [y, *first, *outer.gradient(slope, variables)]


# Three sides for which the kernel's gradient is a product of matrices, and one for which not.
@pytest.mark.parametrize("side", [4, 6, 16, 32])
@pytest.mark.parametrize(
    "ours, kerass, options",
    [
        (StridedConv2D, keras.layers.Conv2D, {"bias_initializer": "random_normal"}),
        (StridedConv2DTranspose, keras.layers.Conv2DTranspose, {"use_bias": False}),
    ],
)
def test_strided_convolutions_are_those_of_keras(ours, kerass, options, side):
    if ours is StridedConv2DTranspose:
        side //= 2
    x = keras.random.normal((3, side, side, 5), seed=0)
    layers = [kind(7, 4, strides=2, padding="same", **options) for kind in (ours, kerass)]
    for layer in layers:
        layer.build(x.shape)
        layer.set_weights(layers[0].get_weights())
    weights = keras.random.normal(layers[1](x).shape, seed=1)
    for mine, theirs in zip(*(gradients_of(layer, x, weights) for layer in layers), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.usefixtures("bfloat16_works")
def test_strided_convolutions_compute_in_the_precision_of_the_layer():
    x = keras.random.normal((2, 8, 8, 3), seed=0)
    layer = StridedConv2D(5, 4, strides=2, padding="same", dtype="mixed_bfloat16")
    with tf.GradientTape() as tape:
        y = layer(x)
        loss = tf.reduce_sum(tf.cast(y, "float32") ** 2)
    gradient = tape.gradient(loss, layer.kernel.value)
    assert (y.dtype, gradient.dtype) == ("bfloat16", "float32")


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


@pytest.mark.usefixtures("bfloat16_works")
def test_nine_products_are_the_convolution_in_bfloat16_too_but_for_its_rounding():
    x, kernel, upstream = (
        keras.random.normal(shape, seed=seed)
        for seed, shape in enumerate([(2, 8, 8, 32), (3, 3, 32, 16), (2, 16, 16, 16)])
    )
    found = {}
    for dtype in ("float32", "bfloat16"):
        values = [tf.cast(value, dtype) for value in (x, kernel)]
        with tf.GradientTape() as tape:
            tape.watch(values)
            y = nine_products(*values)
        found[dtype] = [y, *tape.gradient(y, values, tf.cast(upstream, dtype))]
    for exact, rounded in zip(found["float32"], found["bfloat16"], strict=True):
        off = np.float32(rounded) - exact
        assert rounded.dtype == "bfloat16" and np.std(off) < 0.01 * np.std(exact)


@pytest.mark.parametrize("shape", [(6, 5), (6, 4, 4, 5)])
def test_fused_batchnorm_is_keras_batchnorm(shape):
    x = 3 + 2 * keras.random.normal(shape, seed=0)
    weights = keras.random.normal(shape, seed=1)
    found = []
    for kind in (FusedBatchNormalization, keras.layers.BatchNormalization):
        layer = kind(momentum=0.8, gamma_initializer="random_normal")
        layer.build(shape)
        layer.gamma.assign([1.0, 2.0, -1.0, 0.5, 3.0])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(weights * y)
        gradients = tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])
        found.append([y, *gradients, *layer.get_weights(), layer(x, training=False)])
    for ours, keras_own in zip(*found, strict=True):
        np.testing.assert_allclose(ours, keras_own, atol=1e-5)
