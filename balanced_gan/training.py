"""From settings to a trained run folder."""

import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from balanced_gan import callbacks, curve, distribute, drawn_faces, watching
from balanced_gan.building import build_gan
from balanced_gan.checkpoints import all_variables, load_checkpoint
from balanced_gan.errors import InputError
from balanced_gan.evaluation import FEWEST
from balanced_gan.files import write_whole
from balanced_gan.pictures import batches, load_folder
from balanced_gan.runs import RUNS
from balanced_gan.sampling import sheet_png
from balanced_gan.start import apply_start, find_start

_LEAST_FACTOR = 1 / 8  # of the learning rates: three steps back
_TIMED_STEPS, _TIMED_SECONDS = 5, 10  # at most, for the estimate of a dry run


def read_samples(settings):
    """What to train on: pictures from the folder or drawn, or points.

    Args:
        settings: a `Settings`.

    Returns:
        `(samples, skipped)`: uint8 (N, S, S, C), an array or `StoredPictures`, or float32
        (N, 2) for points; and what could not be used, as from `load_folder`.

    Raises:
        InputError: if there is no folder or no usable picture in it.
    """
    if settings.of_points:
        return curve.points_on_curve(settings.max_images or curve.COUNT), []
    if settings.path is None:
        count = settings.max_images or drawn_faces.COUNT
        return drawn_faces.draw_faces(settings.image_size, settings.channels, count), []
    return load_folder(
        settings.path,
        settings.image_size,
        settings.channels,
        settings.crop,
        settings.pattern,
        settings.max_images,
        (settings.source_width, settings.source_height),
        RUNS / "cache" if settings.cache else None,
        (settings.face_margin, settings.face_smallest, settings.faces_per_picture),
    )


def fitting_batch_size(settings, count):
    """The batch size for so many pictures: the setting, or all of them if they are fewer.

    Raises:
        InputError: if the replicas cannot share it evenly.
    """
    replicas = distribute.strategy().num_replicas_in_sync
    batch_size = min(settings.batch_size, count)
    if batch_size % replicas:
        raise InputError(
            f"{replicas} workers or GPUs cannot share each batch evenly. Received: "
            f"--batch_size {batch_size}"
        )
    return batch_size


class Outcome(NamedTuple):
    """How a training ended."""

    finished: bool  # whether the budget is spent; if not, it was interrupted
    epochs: int  # complete ones, over all sessions of the run
    steps: int  # batches, likewise
    minutes: float  # of training, over all sessions
    damaged: list  # names of checkpoints that could not be read


def train(settings, run, samples, more_callbacks=lambda clock: ()):
    """Trains a run from where it stands until its budget is spent or Ctrl-C.

    Where a loss or a weight is no longer a number, training goes back to the newest checkpoint
    and on with half the learning rates, at most three times in a run.

    Args:
        settings: a `Settings` whose `precision` is decided, not "auto".
        run: the `Run`; its newest checkpoint, if any, is where training goes on. None on a
            worker that is not the chief.
        samples: from `read_samples`.
        more_callbacks: function from the run's `Clock` to callbacks of your own.

    Returns:
        An `Outcome`.

    Raises:
        InputError: if the run has checkpoints and none can be read, if its folder disappears,
            if a fourth step back would be needed, or if another worker stops answering.
    """
    gan, seconds, damaged = _newest(settings, run, samples)
    while True:
        try:
            return _train(gan, seconds, damaged, settings, run, samples, more_callbacks)
        except FloatingPointError as trouble:
            gan, seconds = _step_back(gan, trouble, settings, run, samples)
        except tf.errors.OpError as error:
            if distribute.cluster().count == 1:
                raise
            raise distribute.lost_worker(error) from None


def _newest(settings, run, samples):
    """`(gan, seconds, damaged)` of the newest checkpoint, or of the start of a new run, which only
    the chief need have."""
    gan = build_gan(settings)
    seconds, damaged = load_checkpoint(run, gan) if run else (0.0, [])
    if run and not gan.steps_done:
        start = find_start(settings, samples)
        if start:
            apply_start(gan, start, samples)
    if distribute.cluster().count > 1:
        variables = all_variables(gan)
        arrays = [variable.numpy() for variable in variables]
        *arrays, seconds = distribute.from_chief([*arrays, np.float64(seconds)])
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
    return gan, float(seconds), damaged


def _step_back(gan, trouble, settings, run, samples):
    """`(gan, seconds)` of the newest checkpoint, to go on with half the learning rates."""
    factor = float(gan.learning_rate_factor.numpy()) / 2
    if factor < _LEAST_FACTOR:
        raise InputError(
            f"Training went astray: {trouble}, although the learning rates are already "
            f"{2 * factor:g} of what was asked for. The last good checkpoint is kept; a new run "
            "with lower --generator_learning_rate and --discriminator_learning_rate may fare "
            "better."
        ) from None
    gan, seconds, _ = _newest(settings, run, samples)
    gan.learning_rate_factor.assign(factor)
    sentence = (
        f"{trouble}; training went back to batch {gan.steps_done} and goes on with "
        f"{factor:g} of the learning rates"
    )
    if run:
        callbacks.say(sentence)
        run.add_event(gan.steps_done, seconds, "stepped back", sentence)
    return gan, seconds


def _train(gan, seconds, damaged, settings, run, samples, more_callbacks):
    """`train` up to its end, or to a `FloatingPointError`."""
    clock = callbacks.Clock(seconds)
    batch_size = fitting_batch_size(settings, len(samples))
    per_epoch = len(samples) // batch_size
    step = gan.steps_done
    last_step = last_step_of(settings, per_epoch)
    stop = callbacks.Stop(clock, last_step, settings.minutes)
    stop.set_model(gan)
    if stop.share_done() >= 1:
        return Outcome(True, step // per_epoch, step, seconds / 60, damaged)
    progress = callbacks.Progress(stop, per_epoch, batch_size)
    watchers = []
    if run:
        watchers = [
            progress,
            *_watchers(settings, run, samples, clock, stop),
            *more_callbacks(clock),
        ]
        if step == 0:
            write_whole(run.grid_file("real"), _real_grid(samples, settings))
    with _finish_batch_on_interrupt(stop):
        try:
            # One Keras epoch, whatever the number of ours: a resumed run starts in the middle
            # of one, and a budget of minutes ends anywhere.
            gan.fit(
                gan.distribute_strategy.distribute_datasets_from_function(
                    lambda replicas: batches(
                        samples, batch_size, settings.seed, settings.mirror, step, replicas
                    )
                ),
                steps_per_epoch=last_step - step if last_step else sys.maxsize,
                shuffle=False,  # `batches` did
                verbose=0,
                callbacks=[stop, callbacks.Sanity(), *watchers],
            )
        except Exception as trouble:
            if hasattr(progress, "bar"):
                progress.on_train_end()  # Keras does so only where all went well
            if not (stop.asked and isinstance(trouble, FloatingPointError)):
                raise
    epochs = gan.steps_done // per_epoch
    finished = stop.share_done() >= 1
    return Outcome(finished, epochs, gan.steps_done, clock.seconds() / 60, damaged)


def _watchers(settings, run, samples, clock, stop):
    """Callbacks that write into the run's folder."""
    batch_size = fitting_batch_size(settings, len(samples))
    per_epoch = len(samples) // batch_size
    every_epochs = settings.grid_every_epochs
    every_steps = [settings.grid_every_steps, every_epochs and every_epochs * per_epoch]
    every_steps = [number for number in every_steps if number]
    every_minutes = settings.evaluate_every_minutes
    health = watching.Health(run, clock)
    on_request = []
    if every_minutes and samples.ndim == 4 and len(samples) >= FEWEST:
        on_request.append(watching.Evaluations(run, clock, samples, every_minutes, health))
    if settings.tensorboard:
        log_folder = run.path / "tensorboard"
        on_request.append(keras.callbacks.TensorBoard(log_folder, update_freq=10))
    show = {}
    if settings.preview:
        show = {"show": watching.preview}
    return [
        health,
        callbacks.History(run, clock, per_epoch),
        watching.Grids(run, settings.grid_side, every_steps, **show),
        callbacks.Checkpoints(run, clock, settings.checkpoint_every_minutes),
        *on_request,
        callbacks.Record(run, clock, batch_size),
        callbacks.Memory(clock),
        watching.Keepsakes(run, stop),
        watching.Report(run, clock),
    ]


def last_step_of(settings, per_epoch):
    """The number of the batch after which a run is done, or None if only time ends it.

    Args:
        settings: a `Settings`.
        per_epoch: batches an epoch.
    """
    limits = [settings.steps, settings.epochs and settings.epochs * per_epoch]
    return min((limit for limit in limits if limit), default=None)


def _real_grid(samples, settings):
    order = np.random.default_rng(settings.seed).permutation(len(samples))
    return sheet_png(samples[order[: settings.grid_side**2]], settings.grid_side)


@contextmanager
def _finish_batch_on_interrupt(stop):
    """Makes the first Ctrl-C (or SIGTERM) finish the batch, and a second one stop at once."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    # What Windows and the others send when a window is closed.
    closed = [getattr(signal, name) for name in ("SIGBREAK", "SIGHUP") if hasattr(signal, name)]
    # What `nohup` has switched off stays so.
    closed = [number for number in closed if signal.getsignal(number) != signal.SIG_IGN]
    numbers += closed

    def ask(number, frame):
        stop.asked = True
        if number in closed:  # to write to a terminal that is gone would be an error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
        for each, handler in before.items():
            signal.signal(each, handler)
        print("\nFinishing this batch and saving...", file=sys.stderr)

    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def seconds_per_batch(settings, samples):
    """Times a few training batches; nothing is kept.

    Args:
        settings: a `Settings` whose `precision` is decided, not "auto".
        samples: from `read_samples`.

    Returns:
        `(seconds, generator_parameters, discriminator_parameters)`.
    """
    gan = build_gan(settings)
    batch_size = fitting_batch_size(settings, len(samples))
    data = iter(batches(samples, batch_size, settings.seed, settings.mirror))
    step = tf.function(gan.train_step)
    for _ in range(2):  # the first one compiles
        step(next(data))
    began, timed = time.perf_counter(), 0
    while timed < _TIMED_STEPS and time.perf_counter() - began < _TIMED_SECONDS:
        step(next(data))
        timed += 1
    seconds = (time.perf_counter() - began) / timed
    return seconds, gan.generator.count_params(), gan.discriminator.count_params()
