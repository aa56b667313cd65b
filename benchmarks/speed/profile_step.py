"""Where the time of a training step goes, by TensorFlow's own profiler."""

import tempfile
from collections import Counter
from pathlib import Path

import click
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from balanced_gan import Settings
from balanced_gan.model.build import faster_precision
from benchmarks.shared import publish, table
from benchmarks.speed.steps import BATCHES, build_preset, seconds_a_batch

# What an operation's name begins with, after "_MklNative" or "_Mkl" -> what it is for.
KINDS = {
    "Conv2DBackpropFilter": "convolutions: gradient of kernels",
    "Conv2DBackpropInput": "convolutions: transposed, and gradient of pictures",
    "Conv2D": "convolutions",
    "FusedConv2D": "convolutions",
    "Relu": "activations and their gradients",
    "LeakyRelu": "activations and their gradients",
    "Cast": "between float32 and bfloat16",
    "MatMul": "dense layers",
    "Einsum": "augmentation: shift",
    "BatchMatMul": "upsampling: nine products (and half of the augmentation's shift)",
    "Select": "augmentation: cutout, and mirroring",
}
KINDS |= dict.fromkeys(
    ("Mean", "SquaredDifference", "Sum", "Rsqrt", "Mul", "Add", "Sub"),
    "BatchNorm, sums of the nine products, and other sums and products",
)
KINDS |= dict.fromkeys(("Pack", "Unpack", "Pad", "StridedSlice"), "copies, most of the upsampling")


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


@click.command()
@click.option("--preset", default="balanced", show_default=True)
@click.option("--batch_size", default=Settings.batch_size, show_default=True)
def main(preset, batch_size):
    precision, _ = faster_precision()
    gan = build_preset(preset, precision, balance="margin")
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
        f"The networks of `--preset {preset}`, trained by the rule, {precision}, batch "
        f"{batch_size}: {1000 * before:.0f} ms a batch ({1000 * during:.0f} while profiled), mean "
        f"of {BATCHES} batches. Operations run side by side on two threads, so their times add up "
        "to more than that.",
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
