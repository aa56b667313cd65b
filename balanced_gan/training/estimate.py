"""Estimates the size of a training job and its duration by training a few steps."""

import time
from typing import Any, NamedTuple

import tensorflow as tf

from balanced_gan.data.batches import batches
from balanced_gan.model.build import build_gan
from balanced_gan.settings import Settings
from balanced_gan.training.memory_needed import mebibytes_needed
from balanced_gan.training.prepare import fitting_batch_size

_TIMED_STEPS, _TIMED_SECONDS = 5, 10  # at most, whichever comes first


class Estimate(NamedTuple):
    """The size and duration of a job."""

    generator_parameters: int
    discriminator_parameters: int
    batch_size: int
    steps_per_epoch: int
    mebibytes: float  # of memory, at most
    seconds_per_step: float
    steps: float  # until the end of the run
    minutes: float  # until the end of the run


def estimate(settings: Settings, samples: Any) -> Estimate:
    """Builds the networks and times a few steps. Nothing is saved.

    Args:
        settings: their `precision` must be "float32" or "bfloat16", not "auto".
        samples: the training samples, see `output.kinds`.
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
    per_epoch = len(samples) // batch_size
    of_minutes = settings.minutes and settings.minutes * 60 / seconds
    steps = min(limit for limit in (last_step_of(settings, per_epoch), of_minutes) if limit)
    sizes = gan.generator.count_params(), gan.discriminator.count_params()
    needed = mebibytes_needed(settings, batch_size)
    return Estimate(*sizes, batch_size, per_epoch, needed, seconds, steps, steps * seconds / 60)


def last_step_of(settings: Settings, steps_per_epoch: int) -> int | None:
    """The last step of a run, or None if only a budget of minutes ends it."""
    limits = [settings.steps, settings.epochs and settings.epochs * steps_per_epoch]
    return min((limit for limit in limits if limit), default=None)
