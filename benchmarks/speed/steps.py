"""Training steps to time, and a way to time them in another process.

    python -m benchmarks.speed.steps

As a program it times the steps where the environment says something that TensorFlow reads only
once, such as TF_ENABLE_ONEDNN_OPTS=0. It prints the names of the steps, one a line, then an empty
line. For each name that it then reads it trains some batches and prints the seconds a batch.
`pytorch_speed.py` does the same.
"""

import os
import subprocess
import sys
import time
from functools import partial

import numpy as np

from balanced_gan import Settings
from balanced_gan.data.batches import batches
from balanced_gan.model.build import build_gan
from balanced_gan.model.gan import R1_EVERY
from balanced_gan.settings import preset_values
from benchmarks.shared import PROJECT

BATCHES = 2 * R1_EVERY  # a round: about one of them with R1


def build_preset(preset, precision, **changes):
    """The compiled model of a preset."""
    values = preset_values(preset) | {"precision": precision} | changes
    return build_gan(Settings(**values))


def seconds_a_batch(model, batch_size):
    """A function that trains some batches, as in the middle of `fit`, and returns the seconds that
    one took."""
    data = np.random.default_rng(0).integers(0, 255, (512, 64, 64, 3), np.uint8)
    iterator = iter(batches(data, batch_size, 0, True))
    # To begin a `fit` takes a second, which a training does once.
    model.make_train_function()

    def train():
        began = time.perf_counter()
        for _ in range(BATCHES):
            logs = model.train_function(iterator)
        float(next(iter(logs.values())))  # waits until it is done
        return (time.perf_counter() - began) / BATCHES

    return train


def our_steps(precision):
    """Name -> `(model, batch size)` of what is timed of ours: the default, and our rule with the
    networks that everybody has."""
    return {
        f"default networks, batch {Settings.batch_size}, {precision}": (
            build_preset("balanced", precision),
            Settings.batch_size,
        ),
        f"dcgan's networks, rule of balance, batch 32, {precision}": (
            build_preset("dcgan", precision, balance="margin"),
            32,
        ),
    }


def in_another_process(command, environment):
    """Name -> function that has another process train some batches and returns its seconds a batch.

    Args:
        command: a module that speaks as this one does, and its arguments.
        environment: what differs from this process's, a dict.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, command)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=os.environ | environment,
    )

    def ask(name):
        process.stdin.write(f"{name}\n")
        return float(process.stdout.readline())

    names = iter(lambda: process.stdout.readline().strip(), "")
    return {name: partial(ask, name) for name in names}


def serve():
    """Speaks with `in_another_process`."""
    work = {name: seconds_a_batch(*step) for name, step in our_steps("float32").items()}
    print(*work, "", sep="\n", flush=True)
    for line in sys.stdin:
        print(work[line.rstrip("\n")](), flush=True)


if __name__ == "__main__":
    serve()
