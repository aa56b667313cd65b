"""Prepares training: all workers agree on settings, samples and precision."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from balanced_gan.data.finding import Skipped
from balanced_gan.errors import InputError
from balanced_gan.model import workers
from balanced_gan.model.build import faster_precision
from balanced_gan.output.kinds import kind_of
from balanced_gan.settings import Settings
from balanced_gan.training.memory_needed import refuse_too_large


class Job(NamedTuple):
    """Everything that training needs."""

    settings: Settings  # with precision "float32" or "bfloat16"
    samples: Any  # the training samples, see `output.kinds`
    skipped: Skipped  # the files that could not be used
    bfloat16_ratio: float | None  # from `faster_precision`; None if nothing had to be decided


def prepare(settings: Settings | None, path: str | None = None) -> Job:
    """Reads the samples and decides on the precision.

    Every worker must call this once. The chief sends the others its settings, its number of
    samples and the precision, in this order.

    Args:
        settings: the chief's settings; None on other workers.
        path: this worker's folder of pictures; None for the chief's path.

    Returns:
        The job. Its settings are the same on all workers, except for the path.

    Raises:
        InputError: if the pictures cannot be read, if workers have different numbers of them, if
            several workers cannot train with these settings, or if memory is too small.
    """
    settings = Settings.from_json(workers.text_from_chief(settings.to_json() if settings else ""))
    replicas = workers.strategy().num_replicas_in_sync
    if settings.balance == "two_step_repeat" and replicas > 1:
        raise InputError(
            "--balance two_step_repeat works on a single CPU or GPU only. Received: "
            f"{replicas} workers or GPUs"
        )
    if path is not None:
        settings = dataclasses.replace(settings, path=path)
    samples, skipped = kind_of(settings).load()
    (of_chief,) = workers.from_chief([np.int64(len(samples))])
    if of_chief != len(samples):
        raise InputError(
            f"This worker found {len(samples)} pictures and the chief found {of_chief}. All "
            f"workers need the same pictures. Received: path={settings.path!r}"
        )
    precision, ratio = settings.precision, None
    if precision == "auto" and workers.cluster().is_chief:
        precision, ratio = faster_precision()
    precision = workers.text_from_chief(precision)
    # Before a new run has its folder: an empty one would be the newest run.
    refuse_too_large(settings, fitting_batch_size(settings, len(samples)))
    return Job(dataclasses.replace(settings, precision=precision), samples, skipped, ratio)


def fitting_batch_size(settings: Settings, count: int) -> int:
    """The batch size from the settings, or the number of samples if that is smaller.

    Raises:
        InputError: if the batch cannot be divided evenly among the replicas.
    """
    replicas = workers.strategy().num_replicas_in_sync
    batch_size = min(settings.batch_size, count)
    if batch_size % replicas:
        raise InputError(
            f"The batch size, here {batch_size}, must be a multiple of the {replicas} workers or "
            "GPUs. With fewer than --batch_size pictures, a batch holds all of them"
        )
    return batch_size
