"""What a turn costs with our layers, and with Keras's own in place of one of them.

    python -m benchmarks.speed.layers
    python -m benchmarks.speed.layers --part exactness    one of them

All take turns, round by round, in one process.
"""

import itertools
import time
from unittest.mock import patch

import click
import keras
import numpy as np
import tensorflow as tf

from balanced_gan import Settings
from balanced_gan.data.batches import batches
from balanced_gan.model import convolutions
from balanced_gan.model.build import faster_precision
from balanced_gan.model.gan import BalancedGAN
from balanced_gan.model.layers import FusedBatchNormalization, UpsampledConv2D
from benchmarks.shared import in_turn, median, part_option, publish, table
from benchmarks.speed.steps import build_preset

BATCHES = 20  # of each contender a round, turns in alternation
# Side of the larger picture, its channels, the smaller one's: of the default and of dcgan
SHAPES = [(32, 64, 128), (16, 128, 256), (8, 256, 256), (8, 256, 512)]
# Side of the smaller picture, its channels, the larger one's: of the default's generator
UPSAMPLED = [(4, 256, 256), (8, 256, 128), (16, 128, 64), (32, 64, 32)]


def with_kerass(network, ours):
    """The same network with Keras's layers in place of one kind of ours."""

    def copy(layer):
        kind = ours.__base__ if isinstance(layer, ours) else type(layer)
        return kind.from_config(layer.get_config())

    def call(layer, x, **kwargs):
        if isinstance(network.get_layer(layer.name), ours) and ours is UpsampledConv2D:
            x = keras.layers.UpSampling2D(2, dtype=layer.dtype_policy)(x)
        return layer(x, **kwargs)

    return keras.models.clone_model(network, clone_function=copy, call_function=call)


def turns(gan, batch_size):
    """A function that trains some batches -> median ms of a turn of D, and of G."""
    data = np.random.default_rng(0).integers(0, 255, (512, 64, 64, 3), np.uint8)
    iterator = iter(batches(data, batch_size, 0, True))
    gan.make_train_function()

    def train():
        ms = ([], [])
        for _ in range(BATCHES):
            began = time.perf_counter()
            turn_g = int(gan.train_function(iterator)["turn_G"])  # waits until it is done
            ms[turn_g].append(1000 * (time.perf_counter() - began))
        return [median(of_one) for of_one in ms]

    train()  # compiles
    return train


def contenders(preset, batch_size):
    """Name -> function from `turns`."""
    precision, _ = faster_precision()

    def gan(**changes):
        return build_preset(preset, precision, balance="alternate", **changes)

    def gan_with_kerass(ours):
        plainer = gan()
        networks = (with_kerass(n, ours) for n in (plainer.generator, plainer.discriminator))
        plainer = BalancedGAN(*networks, max_streak=1, r1=plainer.r1)
        plainer.compile()
        return plainer

    work = {"as it is": turns(gan(), batch_size)}
    with patch.object(convolutions, "_LARGEST", 0):
        work["gradients of kernels as oneDNN has them"] = turns(gan(), batch_size)
    work["Keras's BatchNorm"] = turns(gan_with_kerass(FusedBatchNormalization), batch_size)
    if preset == Settings.preset:
        if precision in convolutions._NINE_UP_TO:
            with patch.object(convolutions, "_NINE_UP_TO", {}):
                work["upsampling with sixteen products"] = turns(gan(), batch_size)
        work["Keras's upsampling, then its convolution"] = turns(
            gan_with_kerass(UpsampledConv2D), batch_size
        )
    return work


def random_tensors(precision, *shapes):
    """Tensors of the same numbers in either precision."""
    tf.random.set_seed(0)
    rounded = [tf.cast(tf.random.normal(shape), "bfloat16") for shape in shapes]
    return [tf.cast(each, precision) for each in rounded]


def kernel_gradients(batch_size, side, channels, filters, precision):
    """Name -> function that computes the gradient of a 4x4 kernel."""
    larger, smaller = random_tensors(
        precision, (batch_size, side, side, channels), (batch_size, side // 2, side // 2, filters)
    )

    def onednn(larger, smaller):
        return tf.raw_ops.Conv2DBackpropFilter(
            input=larger,
            filter_sizes=(4, 4, channels, filters),
            out_backprop=smaller,
            strides=[1, 2, 2, 1],
            padding="SAME",
        )

    def work(function):
        compiled = tf.function(function)
        compiled(larger, smaller)
        return lambda: compiled(larger, smaller).numpy()

    return {"oneDNN's": work(onednn), "ours": work(convolutions.kernel_gradient)}


def in_words(side, channels, filters):
    return f"{side}x{side}x{channels}, {side // 2}x{side // 2}x{filters}"


def measure_exactness():
    """How far the gradients of a kernel in bfloat16 are from those in float32."""
    rows = []
    for shape in SHAPES:
        exact = kernel_gradients(16, *shape, "float32")["oneDNN's"]()
        found = kernel_gradients(16, *shape, "bfloat16")
        found = {name: np.float32(gradient()) for name, gradient in found.items()}
        off = [np.std(gradient - exact) / np.std(exact) for gradient in found.values()]
        same = np.mean(found["oneDNN's"] == found["ours"])
        rows.append([in_words(*shape), *(f"{x:.3%}" for x in off), f"{same:.2%}"])
    publish(
        "The gradient of a kernel: how exact",
        "In bfloat16, of 16 pictures: the root mean square of what it is off from float32, as a "
        "share of its own; and the share of its numbers in which both ways agree to the bit.",
        table("larger and smaller | oneDNN's | ours | the same", rows),
    )


def measure_kernel_gradients(precisions, rounds):
    rows = []
    for precision in precisions:
        for batch_size, shape in itertools.product((16, 32), SHAPES):
            work = kernel_gradients(batch_size, *shape, precision)
            theirs, ours = times = list(in_turn(work, rounds).values())
            ms = (f"{1000 * median(each):.2f}" for each in times)
            ratio = f"{median(theirs / ours):.2f}"
            rows.append([precision, batch_size, in_words(*shape), *ms, ratio])
    publish(
        "The gradient of a kernel alone",
        "4x4, stride 2: oneDNN's, and `kernel_gradient`, which is used up to 16x16 pixels; "
        f"called in turn, medians of {rounds}.",
        table("precision | pictures | larger and smaller | oneDNN's, ms | ours, ms | ratio", rows),
    )


def upsamplings(batch_size, side, channels, filters, precision):
    """Name -> function that upsamples and convolves, and then finds both gradients."""
    x, kernel, upstream = random_tensors(
        precision,
        (batch_size, side, side, channels),
        (3, 3, channels, filters),
        (batch_size, 2 * side, 2 * side, filters),
    )

    def thirty_six(x, kernel):
        return tf.nn.conv2d(tf.repeat(tf.repeat(x, 2, 1), 2, 2), kernel, 1, "SAME")

    def work(function):
        @tf.function
        def compiled():
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                y = function(x, kernel)
            return tape.gradient(y, [x, kernel], upstream)

        compiled()
        return lambda: compiled()[0].numpy()

    ways = (thirty_six, convolutions.sixteen_products, convolutions.nine_products)
    return {function.__name__: work(function) for function in ways}


def measure_upsampling(precisions, rounds):
    rows = []
    for precision, shape in itertools.product(precisions, UPSAMPLED):
        work = upsamplings(16, *shape, precision)
        side, channels, filters = shape
        words = f"{side}x{side}x{channels}, {2 * side}x{2 * side}x{filters}"
        times = in_turn(work, rounds).values()
        rows.append([precision, words, *(f"{1000 * median(each):.2f}" for each in times)])
    publish(
        "Upsampling and a 3x3 kernel alone",
        "Forward and both gradients, 16 pictures, by how many products are computed for each pixel "
        f"of the smaller picture: on an upsampled one (36), `sixteen_products`, "
        f"`nine_products`; called in turn, medians of {rounds}.",
        table("precision | from, to | 36, ms | 16, ms | 9, ms", rows),
    )


def measure_layers(rounds):
    rows = []
    for preset, batch_size in ((Settings.preset, Settings.batch_size), ("dcgan", 32)):
        work = contenders(preset, batch_size)
        ms = in_turn(work, rounds, lambda train: train())
        first = ms["as it is"].mean(axis=1)
        for name, found in ms.items():
            ratio = median(found.mean(axis=1) / first)
            rows.append([preset, name, *(f"{x:.1f}" for x in np.median(found, 0)), f"{ratio:.2f}"])
    publish(
        "Layers of ours, and Keras's own",
        f"The default networks with batches of {Settings.batch_size} and those of `dcgan` with 32, "
        f"turns in alternation; medians of {rounds} rounds of {BATCHES} batches. *Ratio*: of both "
        "turns' time to ours, round by round.",
        table("networks | with | turn of D, ms | turn of G, ms | ratio", rows),
    )


@click.command()
@click.option("--rounds", default=9, show_default=True)
@part_option("exactness", "kernels", "upsampling", "turns")
def main(rounds, parts):
    _, ratio = faster_precision()
    precisions = ("float32", "bfloat16") if ratio else ("float32",)
    if ratio and "exactness" in parts:
        measure_exactness()
    if "kernels" in parts:
        measure_kernel_gradients(precisions, 10 * rounds)
    if "upsampling" in parts:
        measure_upsampling(precisions, 10 * rounds)
    if "turns" in parts:
        measure_layers(rounds)


if __name__ == "__main__":
    main()
