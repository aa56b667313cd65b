"""Where the time of a training step goes, by TensorFlow's own profiler, and how fast each layer
is by itself.

    python -m benchmarks.speed.profile_step
"""

import tempfile
from collections import Counter
from pathlib import Path

import click
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from balanced_gan import Settings
from balanced_gan.model.build import faster_precision
from benchmarks.shared import median, publish, seconds_of, table
from benchmarks.speed.speed import flop, products
from benchmarks.speed.steps import BATCHES, build_preset, seconds_a_batch

# What an operation's name begins with, after "_MklNative" or "_Mkl" -> what it is for.
KINDS = {
    "Conv2DBackpropFilter": "convolutions: gradient of kernels",
    "Conv2DBackpropInput": "convolutions: transposed, and gradient of pictures",
    "Conv2D": "convolutions",
    "FusedConv2D": "convolutions",
    "FusedBatchNorm": "BatchNorm, with the ReLU behind it",
    "Relu": "activations and their gradients",
    "LeakyRelu": "activations and their gradients",
    "Cast": "between float32 and bfloat16",
    "ResourceApply": "Adam",
    "MatMul": "gradient of kernels as products, and dense layers",
    "Einsum": "augmentation: shift",
    "BatchMatMul": "upsampling: nine products (and half of the augmentation's shift)",
    "Select": "augmentation: cutout, and mirroring",
}
KINDS |= dict.fromkeys(
    ("Pack", "Unpack", "Pad", "Sub", "StridedSlice"),
    "upsampling: sums of the nine, and other copies",
)


def kind_of(operation):
    """What an operation is for; the longest name that fits counts."""
    name = operation.removeprefix("_Mkl").removeprefix("Native")
    fitting = [start for start in KINDS if name.startswith(start)]
    return KINDS[max(fitting, key=len)] if fitting else "all else"


def times_of_operations(folder):
    """Operation -> nanoseconds, of all events that a profile holds."""
    space = xplane_pb2.XSpace()
    space.ParseFromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
    times = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # "where/in/the/model:Operation"; all others are the machinery around them.
                _, *operation = plane.event_metadata[event.metadata_id].name.split(":")
                if len(operation) == 1 and not operation[0].startswith(" "):
                    times[operation[0]] += event.duration_ps / 1000
    return times


def seconds_alone(layer, batch_size):
    """Median seconds `(forward, gradient of its input, gradient of its kernel)` of a layer, no
    other operation beside it; a gradient is what it takes more than forward alone."""
    x = tf.cast(tf.random.normal((batch_size, *layer.input.shape[1:])), layer.compute_dtype)
    upstream = tf.cast(tf.random.normal(layer(x).shape), layer(x).dtype)

    def gradient(of):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return y, tape.gradient(y, of, output_gradients=upstream)

    work = [
        tf.function(lambda: (layer(x),)),
        tf.function(lambda: gradient(x)),
        tf.function(lambda: gradient(layer.kernel.value)),
    ]
    times = [[seconds_of(function) for function in work] for _ in range(30)]
    forward, *with_gradient = (median(column) for column in zip(*times, strict=True))
    return forward, *(max(seconds - forward, 0.0) for seconds in with_gradient)


def alone(gan, batch_size):
    """Publishes the speed of each layer by itself, and what they would take in a turn."""
    rows, sums = [], []
    for network in (gan.generator, gan.discriminator):
        total = []
        for layer in products(network):
            work = batch_size * flop(layer) / 1e9
            ms = [1000 * seconds for seconds in seconds_alone(layer, batch_size)]
            total.append(ms)
            shapes = (shape[1:] for shape in (layer.input.shape, layer.output.shape))
            words = " to ".join("x".join(map(str, shape)) for shape in shapes)
            cells = (f"{x:.2f} ({1000 * work / x:.0f})" if x > 0.05 else f"{x:.2f}" for x in ms)
            rows.append([network.name, words, f"{work:.2f}", *cells])
        sums.append([sum(column) for column in zip(*total, strict=True)])
        first_input = total[0][1]  # of latents or pictures, for which nobody asks
        sums[-1].append(sums[-1][1] - first_input)
    (g, _, g_kernels, g_inputs), (d, d_pictures, d_kernels, d_inputs) = sums
    turn_d = g + 2 * (d + d_inputs + d_kernels)
    turn_g = g + 2 * d + d_pictures + g_inputs + g_kernels
    publish(
        "Each layer by itself",
        f"Convolutions and dense layers, {batch_size} pictures, all else idle: ms, and GFLOP/s in "
        f"brackets, medians of 30. Added up as a turn needs them: {turn_d:.0f} ms of a turn of D, "
        f"{turn_g:.0f} of one of G. That a step is slower than a product of large matrices is "
        "mostly the shape of its layers.",
        table("network | from, to | GFLOP | forward | gradient of input | of kernel", rows),
    )


@click.command()
@click.option("--preset", default="balanced", show_default=True)
@click.option("--batch_size", default=Settings.batch_size, show_default=True)
def main(preset, batch_size):
    precision, _ = faster_precision()
    gan = build_preset(preset, precision, balance="margin")
    alone(gan, batch_size)
    train = seconds_a_batch(gan, batch_size)
    for _ in range(3):  # compiles
        train()
    before = train()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            during = train()
        times = times_of_operations(folder)
    kinds = Counter()
    for operation, nanoseconds in times.items():
        kinds[kind_of(operation)] += nanoseconds
    total = sum(kinds.values())
    publish(
        "Where the time of a step goes",
        f"`--preset {preset}`, {precision}, batch {batch_size}: {1000 * before:.0f} ms a batch "
        f"({1000 * during:.0f} while profiled), mean of {BATCHES} batches. Operations run side by "
        "side on two threads, so their times add up to more than that.",
        table(
            "what | ms a batch | share",
            [
                [kind, f"{nanoseconds / 1e6 / BATCHES:.1f}", f"{nanoseconds / total:.0%}"]
                for kind, nanoseconds in kinds.most_common()
            ],
        ),
    )


if __name__ == "__main__":
    main()
