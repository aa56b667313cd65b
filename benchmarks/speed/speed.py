"""How close training comes to this machine's limits, and how long other programs take.

    python -m benchmarks.speed.speed                all parts, about 15 minutes
    python -m benchmarks.speed.speed --part step    one of them
    ONEDNN_MAX_CPU_ISA=AVX2 python -m benchmarks.speed.speed --part step    as on a laptop

Everything that is compared takes turns, round by round; the ratios are medians over rounds. Our
step is timed with oneDNN off too, as TensorFlow has it on processors with AVX2 alone. PyTorch is
compared with if it is installed.
"""

import os
import shutil
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import click
import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from balanced_gan import processor
from balanced_gan.model.build import faster_precision
from balanced_gan.model.gan import R1_EVERY
from balanced_gan.model.layers import UpsampledConv2D
from benchmarks.shared import (
    data_option,
    in_turn,
    median,
    part_option,
    publish,
    pytorch_environment,
    seconds_of,
    table,
    watch,
)
from benchmarks.speed.steps import (
    BATCHES,
    build_preset,
    in_another_process,
    our_steps,
    seconds_a_batch,
)

TINY = ["--width", "4", "--latent_dim", "8", "--precision", "float32"]


def products(network):
    """Layers that are convolutions or products of matrices; the FLOP of all others together are
    less than a hundredth."""
    return [
        layer
        for layer in network.layers
        if layer.weights and not isinstance(layer, layers.BatchNormalization)
    ]


def flop(layer):
    """FLOP a picture forward, two for each product; see `products`."""
    weights = np.prod(layer.kernel.shape)
    if isinstance(layer, layers.Dense):
        places = 1
    elif isinstance(layer, layers.Conv2DTranspose):
        places = np.prod(layer.input.shape[1:3])
    elif isinstance(layer, UpsampledConv2D):
        places = np.prod(layer.input.shape[1:3]) * 16 / 9  # products for each tap of its kernel
    else:
        places = np.prod(layer.output.shape[1:3])
    return 2 * weights * places


def turns_cost(gan):
    """`(turn of G, turn of D)`: GFLOP a picture, forward and backward, as `train_step` does."""
    generator = sum(map(flop, products(gan.generator)))
    first, *others = map(flop, products(gan.discriminator))
    judge = first + sum(others)
    forward = generator + 2 * judge
    # Backward, each layer costs its forward pass for its weights and once more for its input;
    # nobody asks for the gradient of the real pictures, or of latents (a dense layer's).
    of_generator = forward + judge + 2 * generator
    of_discriminator = forward + 2 * (2 * judge - first)
    if gan.r1:  # forward, R1's gradient, and for the gradient of that each of its layers twice
        of_discriminator += 4 * judge / R1_EVERY
    return of_generator / 1e9, of_discriminator / 1e9


def ceilings(precisions):
    """Name -> function that does the work once, and its GFLOP or GB."""

    def product(dtype):
        a = tf.cast(tf.random.normal((2048, 2048)), dtype)
        multiply = tf.function(lambda: tf.linalg.matmul(a, a))
        multiply()
        return lambda: multiply().numpy()

    source, target = np.ones(2**26, np.uint8), np.empty(2**26, np.uint8)
    return {
        **{name: (product(name), 2 * 2048**3 / 1e9) for name in precisions},
        "copy": (lambda: np.copyto(target, source), 2 * 2**26 / 1e9),
    }


class PlainGAN(keras.Model):
    """A DCGAN as the examples of Keras have it: both networks trained on each batch, the
    discriminator on real and generated pictures at once, then the generator with new latents."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)
        self.loss_trackers = [keras.metrics.Mean(name=name) for name in ("d_loss", "g_loss")]

    def compile(self):
        super().compile(optimizer=None)
        self.optimizers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)]

    def train_step(self, real):
        count, length = ops.shape(real)[0], self.generator.input_shape[-1]
        generated = self.generator(keras.random.normal((count, length)), training=True)
        both = ops.concatenate([generated, real])
        labels = ops.concatenate([ops.zeros((count, 1)), ops.ones((count, 1))])
        with tf.GradientTape() as tape:
            loss_d = self.loss_fn(labels, self.discriminator(both, training=True))
        self._apply(tape, loss_d, self.discriminator, self.optimizers[0])
        with tf.GradientTape() as tape:
            generated = self.generator(keras.random.normal((count, length)), training=True)
            judged = self.discriminator(generated, training=True)
            loss_g = self.loss_fn(ops.ones((count, 1)), judged)
        self._apply(tape, loss_g, self.generator, self.optimizers[1])
        for tracker, loss in zip(self.loss_trackers, (loss_d, loss_g), strict=True):
            tracker.update_state(loss)
        return {tracker.name: tracker.result() for tracker in self.loss_trackers}

    def _apply(self, tape, loss, network, optimizer):
        variables = network.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)


def torch_steps(precisions):
    """Name -> function that gives PyTorch's seconds a batch, for each of its modes that runs here;
    none without PyTorch. A precision that oneDNN cannot compute here PyTorch would emulate,
    which takes minutes."""
    if not find_spec("torch"):
        click.echo("PyTorch is not installed, and not compared with.", err=True)
        return {}
    command = ["benchmarks.speed.pytorch_speed", 32, BATCHES, *precisions]
    found = in_another_process(command, pytorch_environment())
    return {f"{name}, batch 32": train for name, train in found.items()}


def plain_keras(precision):
    """A function that gives a plain Keras GAN's seconds a batch, with the networks of `dcgan`."""
    # As in build_gan; determinism, which that switches on, cannot be switched off again
    # and costs nothing that could be measured.
    networks = build_preset("dcgan", precision)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    gan = PlainGAN(networks.generator, networks.discriminator)
    gan.compile()
    keras.config.set_dtype_policy("float32")
    return seconds_a_batch(gan, 32)


def without_onednn():
    """Name -> function that gives our seconds a batch with oneDNN off, where it is on here."""
    if processor.onednn() != "on":
        return {}
    found = in_another_process(["benchmarks.speed.steps"], {"TF_ENABLE_ONEDNN_OPTS": "0"})
    return {f"{name}, oneDNN off": train for name, train in found.items()}


def measure_step(rounds):
    """Our step against the ceilings, and against other programs with the networks of `dcgan`."""
    faster, ratio = faster_precision()
    precisions = ("float32", "bfloat16") if ratio else ("float32",)
    ours = {}
    for precision in precisions:
        default, dcgan = our_steps(precision).items()
        ours |= dict([default, dcgan] if precision == faster else [default])
    work = {name: seconds_a_batch(*step) for name, step in ours.items()}
    work |= without_onednn()
    work |= {
        f"plain Keras GAN, batch 32, {precision}": plain_keras(precision)
        for precision in precisions
    }
    work |= torch_steps(precisions)
    limits = ceilings(precisions)
    seconds = {name: [] for name in (*limits, *work)}
    turns, cores = ({name: [] for name in ours} for _ in range(2))
    for number in range(rounds + 1):  # the first one compiles
        for name, (limit, _) in limits.items():
            seconds[name].append(min(seconds_of(limit) for _ in range(5)))
        for name, train in work.items():
            before = int(ours[name][0].generator_turns) if name in ours else 0
            computed = time.process_time()
            seconds[name].append(train())
            if name in ours:
                turns[name].append(int(ours[name][0].generator_turns) - before)
                computed = time.process_time() - computed
                cores[name].append(computed / (BATCHES * seconds[name][-1]))
            round_name = f"round {number} of {rounds}" if number else "compiling"
            click.echo(f"{round_name}: {name}: {1000 * seconds[name][-1]:.0f} ms", err=True)
    seconds = {name: np.array(found[1:]) for name, found in seconds.items()}
    speeds = {name: amount / seconds[name] for name, (_, amount) in limits.items()}
    rows = []
    for name, (gan, batch_size) in ours.items():
        share = np.array(turns[name][1:]) / BATCHES
        of_g, of_d = turns_cost(gan)
        done = batch_size * (share * of_g + (1 - share) * of_d) / seconds[name]
        ms, images = 1000 * median(seconds[name]), batch_size / median(seconds[name])
        ceiling = f"{median(done / speeds[name.split()[-1]]):.0%}"
        row = [f"{of_g:.2f}", f"{of_d:.2f}", f"{ms:.0f}", f"{images:.0f}", f"{median(done):.0f}"]
        rows.append([name, *row, ceiling, f"{median(cores[name][1:]):.2f}"])

    def compared(start, mine):
        """A table of all that begins so, each with its ratio to ours."""
        rows = []
        for name in (name for name in work if name.startswith(start)):
            ratio = median(seconds[name] / seconds[mine])
            rows.append([name, f"{1000 * median(seconds[name]):.0f}", f"{ratio:.2f}"])
        return table("program | ms a batch | time, ours = 1", rows)

    default, dcgan = (
        next(name for name in ours if name.startswith(start) and name.endswith(faster))
        for start in ("default", "dcgan")
    )
    header = "ours | GFLOP a picture, turn of G | turn of D | ms a batch | pictures/s | GFLOP/s | "
    publish(
        "Speed of a training step",
        f"Medians of {rounds} rounds of {BATCHES} batches each. This machine's "
        "ceilings in the same rounds: a product of 2048x2048 matrices "
        + " and ".join(f"{median(speeds[name]):.0f} GFLOP/s in {name}" for name in precisions)
        + f"{'' if ratio else ' (bfloat16 is not supported)'}, a copy of 64 MiB "
        f"{median(speeds['copy']):.1f} GB/s read and written. FLOP are counted from the layers; "
        "upsampling and a 3x3 kernel as 16 products for each pixel of the smaller picture. Small "
        "pictures need only 9, so that more than 100 % is possible.",
        table(header + "of the ceiling | cores in use", rows),
        "*oneDNN off* is what TensorFlow does by itself on processors with AVX2 alone; what is "
        "not marked so has it on.",
        compared("default", default),
        "The same networks (`dcgan`'s), 32 pictures a batch. Ours trains one network a batch, "
        "chosen by the rule; the others train both.",
        compared(("dcgan", "plain", "PyTorch"), dcgan),
    )


def synthetic_jpegs(folder, count, side):
    """Writes smooth coloured noise as JPEGs; 20 different ones, linked under many names."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for number in range(min(count, 20)):
        noise = random.integers(0, 255, (16, 16, 3), np.uint8)
        picture = cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number:06d}.jpg"), picture)
    for number in range(20, count):
        os.link(folder / f"{number % 20:06d}.jpg", folder / f"{number:06d}.jpg")


def measure_waiting(rounds, data):
    """What a user waits for: help, the first batch, the first picture, 1,000 pictures."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        train = ["--path", data / "congress_400", "--steps", 30]
        watch(folder, *train, "--seed", 999)  # warm: the cache is there, files are in memory

        def first_ones():
            for run in folder.glob("runs/0*"):
                shutil.rmtree(run)
            found = {}

            def look(seconds):
                histories = folder.glob("runs/*/history.csv")
                if any(len(file.read_text().splitlines()) > 1 for file in histories):
                    found.setdefault("batch", seconds)
                if any(folder.glob("runs/*/grids/step-*.png")):
                    found.setdefault("grid", seconds)
                return len(found) == 2

            watch(folder, *train, look=look)
            return found["batch"], found["grid"]

        commands = {
            "`--help`": ["--help"],
            "`--dry_run`": [*train, "--dry_run"],
            "first": first_ones,
            "`--TYPE generate --img_num 1000`": ["--TYPE", "generate", "--img_num", 1000],
        }
        times = in_turn(
            commands,
            rounds,
            lambda asked: asked() if callable(asked) else watch(folder, *asked).seconds,
        )
    first = times.pop("first").T
    times["command to first trained batch"], times["command to first grid on disk"] = first
    publish(
        "Waiting",
        f"Medians of {rounds} rounds with congress_400 and default networks, files in the disk's "
        "cache, in seconds. The first grid is drawn before training.",
        table("what | s", [[name, f"{median(values):.2f}"] for name, values in times.items()]),
    )


def measure_memory():
    """Peak memory and the second start, for more and more pictures."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for count in (400, 5000, 100_000):
            path = ["--path", folder / str(count)]
            synthetic_jpegs(path[1], count, 96)
            tiny = [*TINY, *path, "--evaluate_every_minutes", 0, "--steps", 5]
            first, second = watch(folder, *tiny), watch(folder, *tiny, "--new")
            whole = watch(folder, *path, "--steps", 300, "--new")
            seconds = (f"{each.seconds:.1f}" for each in (first, second))
            rows.append([f"{count:,}", *seconds, f"{whole.peak:.0f}"])
    publish(
        "Many pictures",
        "Pictures are JPEGs of 96x96. Seconds from start to end of `train.py` with a tiny network "
        "and 5 batches: the first time, when the folder is decoded, and the second, when it is "
        "found in runs/cache. Peak memory (largest resident size) of 300 batches of the default "
        "networks.",
        table("pictures | s, first time | s, second time | peak MiB", rows),
    )


@click.command()
@data_option
@part_option("step", "waiting", "memory")
@click.option("--rounds", default=7, show_default=True)
def main(data, parts, rounds):
    if "step" in parts:
        measure_step(rounds)
    if "waiting" in parts:
        measure_waiting(rounds, data.resolve())
    if "memory" in parts:
        measure_memory()


if __name__ == "__main__":
    main()
