"""What a turn costs with our one layer, and with Keras's own two in its place.

    python -m benchmarks.speed.layers

All take turns, round by round, in one process.
"""

import time
from unittest.mock import patch

import click
import keras
import numpy as np

from balanced_gan import Settings
from balanced_gan.data.batches import batches
from balanced_gan.model import convolutions
from balanced_gan.model.build import faster_precision
from balanced_gan.model.gan import BalancedGAN
from balanced_gan.model.layers import UpsampledConv2D
from benchmarks.shared import in_turn, median, publish, table
from benchmarks.speed.steps import build_preset

BATCHES = 20  # of each contender a round, turns in alternation


def with_keras_layers(network):
    """The same network with Keras's `UpSampling2D` and `Conv2D` in place of `UpsampledConv2D`."""

    def copy(layer):
        ours = isinstance(layer, UpsampledConv2D)
        return (keras.layers.Conv2D if ours else type(layer)).from_config(layer.get_config())

    def call(layer, x, **kwargs):
        if isinstance(network.get_layer(layer.name), UpsampledConv2D):
            x = keras.layers.UpSampling2D(2, dtype=layer.dtype_policy)(x)
        return layer(x, **kwargs)

    return keras.models.clone_model(network, clone_function=copy, call_function=call)


def turns(gan):
    """A function that trains some batches -> median ms of a turn of D, and of G."""
    data = np.random.default_rng(0).integers(0, 255, (512, 64, 64, 3), np.uint8)
    iterator = iter(batches(data, Settings.batch_size, 0, True))
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


@click.command()
@click.option("--rounds", default=9, show_default=True)
def main(rounds):
    precision, _ = faster_precision()

    def gan():
        return build_preset(Settings.preset, precision, balance="alternate")

    work = {"`UpsampledConv2D`": turns(gan()), "the same, built a second time": turns(gan())}
    if precision in convolutions._NINE_UP_TO:
        with patch.object(convolutions, "_NINE_UP_TO", {}):
            work["the same, all with `sixteen_products`"] = turns(gan())
        inner = convolutions.nine_products.__wrapped__
        with patch.object(convolutions, "nine_products", lambda *of_layer: inner(*of_layer)[0]):
            work["the same, `nine_products` with TensorFlow's own gradient"] = turns(gan())
    plainer = gan()
    plainer = BalancedGAN(
        with_keras_layers(plainer.generator), plainer.discriminator, max_streak=1, r1=plainer.r1
    )
    plainer.compile()
    work["Keras's upsampling, then its convolution"] = turns(plainer)
    ms = in_turn(work, rounds, lambda train: train())
    first = next(iter(ms.values())).mean(axis=1)
    rows = []
    for name, found in ms.items():
        ratio = median(found.mean(axis=1) / first)
        rows.append([name, *(f"{x:.1f}" for x in np.median(found, 0)), f"{ratio:.2f}"])
    publish(
        "Our layer, and Keras's own",
        f"The default networks in {precision}, batches of {Settings.batch_size}, turns in "
        f"alternation; medians of {rounds} rounds of {BATCHES} batches. *Ratio*: of both turns' "
        "time to the first row's, round by round.",
        table("with | turn of D, ms | turn of G, ms | ratio", rows),
    )


if __name__ == "__main__":
    main()
