"""From settings to a trained run folder."""

import signal
import sys
import time
from contextlib import contextmanager
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from balanced_gan import callbacks
from balanced_gan.drawn_faces import COUNT, draw_faces
from balanced_gan.gan import BalancedGAN, adam
from balanced_gan.networks import build_discriminator, build_generator
from balanced_gan.pictures import batches, encode_png, load_folder, sheet
from balanced_gan.run import write_whole

_TIMED_STEPS = 5  # for the estimate of a dry run


def read_pictures(settings):
    """The training pictures, from the folder or drawn.

    Args:
        settings: a `Settings`.

    Returns:
        `(pictures, skipped)` as from `load_folder`.

    Raises:
        InputError: if there is no folder or no usable picture in it.
    """
    if settings.path is None:
        count = settings.max_images or COUNT
        return draw_faces(settings.image_size, settings.channels, count), []
    return load_folder(
        settings.path,
        settings.image_size,
        settings.channels,
        settings.crop,
        settings.pattern,
        settings.max_images,
    )


def build_gan(settings):
    """The compiled model of some settings, repeatable from their seed.

    Args:
        settings: a `Settings` whose `precision` is decided, not "auto".

    Returns:
        A compiled `BalancedGAN`.
    """
    keras.utils.set_random_seed(settings.seed)
    # Threads may otherwise add up in any order, and a resumed run would drift from the
    # uninterrupted one.
    tf.config.experimental.enable_op_determinism()
    policy = "mixed_bfloat16" if settings.precision == "bfloat16" else "float32"
    with _dtype_policy(policy):
        gan = BalancedGAN(
            build_generator(
                settings.image_size, settings.channels, settings.latent_dim, settings.width
            ),
            build_discriminator(settings.image_size, settings.channels, settings.width),
            margin=settings.margin,
            balance=settings.balance,
            max_streak=settings.max_streak,
            augmentation=settings.augmentation,
            ema_decay=settings.ema_decay,
            seed=settings.seed,
        )
    gan.compile(adam(settings.generator_learning_rate), adam(settings.discriminator_learning_rate))
    return gan


@contextmanager
def _dtype_policy(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def faster_precision():
    """Times a convolution and its gradient in float32 and bfloat16 on this machine.

    bfloat16 pays only where the processor has instructions for it (AMX or AVX512-BF16);
    elsewhere it is emulated and slower. Asking the clock works on any system.

    Returns:
        `(name, ratio)`: "float32" or "bfloat16", and how many times faster bfloat16 was.
    """

    @tf.function
    def work(pictures, kernel):
        with tf.GradientTape() as tape:
            tape.watch([pictures, kernel])
            result = tf.nn.conv2d(pictures, kernel, 1, "SAME")
        return tape.gradient(result, [pictures, kernel])

    def fastest(dtype):
        pictures = tf.ones((16, 16, 16, 128), dtype)
        kernel = tf.ones((3, 3, 128, 128), dtype)
        work(pictures, kernel)
        times = []
        for _ in range(15):
            began = time.perf_counter()
            work(pictures, kernel)
            times.append(time.perf_counter() - began)
        return min(times)

    ratio = fastest(tf.float32) / fastest(tf.bfloat16)
    # Not at 1.0: networks also have layers that gain nothing.
    return ("bfloat16" if ratio > 1.2 else "float32"), ratio


def fitting_batch_size(settings, count):
    """The batch size for so many pictures: the setting, or all of them if they are fewer."""
    return min(settings.batch_size, count)


class Outcome(NamedTuple):
    """How a training ended."""

    finished: bool  # whether the budget is spent; if not, it was interrupted
    epochs: int  # complete ones, over all sessions of the run
    minutes: float  # of training, over all sessions
    damaged: list  # names of checkpoints that could not be read


def train(settings, run, pictures):
    """Trains a run from where it stands until its budget is spent or Ctrl-C.

    Args:
        settings: a `Settings` whose `precision` is decided, not "auto".
        run: the `Run`; its newest checkpoint, if any, is where training goes on.
        pictures: uint8 (N, S, S, C).

    Returns:
        An `Outcome`.

    Raises:
        InputError: if the run has checkpoints and none can be read.
    """
    gan = build_gan(settings)
    seconds, damaged = run.load_checkpoint(gan)
    clock = callbacks.Clock(seconds)
    batch_size = fitting_batch_size(settings, len(pictures))
    per_epoch = len(pictures) // batch_size
    step = int(gan.batches)
    last_step = settings.epochs * per_epoch if settings.epochs else None
    stop = callbacks.Stop(clock, last_step, settings.minutes)
    stop.set_model(gan)
    if stop.share_done() >= 1:
        return Outcome(True, step // per_epoch, seconds / 60, damaged)
    if step == 0:
        write_whole(
            run.grid_file("real"),
            encode_png(sheet(_real_grid(pictures, settings.seed), callbacks.GRID_SIDE)),
        )
    with _finish_batch_on_interrupt(stop):
        # One Keras epoch, whatever the number of ours: a resumed run starts in the middle
        # of one, and a budget of minutes ends anywhere.
        gan.fit(
            batches(pictures, batch_size, settings.seed, settings.mirror, first_batch=step),
            steps_per_epoch=last_step - step if last_step else sys.maxsize,
            shuffle=False,  # `batches` did
            verbose=0,
            callbacks=[
                stop,
                callbacks.Progress(stop, per_epoch, batch_size),
                callbacks.History(run, clock, per_epoch),
                callbacks.Grids(run, per_epoch, settings.grid_every_epochs),
                callbacks.Checkpoints(run, clock, settings.checkpoint_every_minutes),
            ],
        )
    epochs = int(gan.batches) // per_epoch
    return Outcome(stop.share_done() >= 1, epochs, clock.seconds() / 60, damaged)


def _real_grid(pictures, seed):
    chosen = np.random.default_rng(seed).permutation(len(pictures))[: callbacks.GRID_SIDE**2]
    return pictures[chosen]


@contextmanager
def _finish_batch_on_interrupt(stop):
    """Makes the first Ctrl-C (or SIGTERM) finish the batch, and a second one stop at once."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGBREAK"):  # what Windows sends when a window is closed
        numbers.append(signal.SIGBREAK)

    def ask(number, frame):
        stop.asked = True
        for each, handler in before.items():
            signal.signal(each, handler)
        print("\nFinishing this batch and saving...", file=sys.stderr)

    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def seconds_per_batch(settings, pictures):
    """Times a few training batches; nothing is kept.

    Args:
        settings: a `Settings` whose `precision` is decided, not "auto".
        pictures: uint8 (N, S, S, C).

    Returns:
        `(seconds, generator_parameters, discriminator_parameters)`.
    """
    gan = build_gan(settings)
    batch_size = fitting_batch_size(settings, len(pictures))
    dataset = batches(pictures, batch_size, settings.seed, settings.mirror)
    gan.fit(dataset, steps_per_epoch=2, shuffle=False, verbose=0)  # compiles
    began = time.monotonic()
    gan.fit(dataset, steps_per_epoch=_TIMED_STEPS, shuffle=False, verbose=0)
    seconds = (time.monotonic() - began) / _TIMED_STEPS
    return seconds, gan.generator.count_params(), gan.discriminator.count_params()
