"""From arrays of samples to training batches, in an order that a resumed run repeats."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from balanced_gan.data.cache import StoredPictures

# Samples shown until weights have their full effect, which grows evenly. Early pictures are varied
# anyway: with full weights from the start, 12,800 portraits gave a precision of 0.60 and not 0.69.
FULL_WEIGHT_AFTER = 100_000


def batches(
    samples: NDArray[Any] | StoredPictures,
    batch_size: int,
    seed: int,
    mirror: bool,
    first_batch: int = 0,
    replicas: Any = None,
    weights: NDArray[np.float64] | None = None,
) -> Any:
    """An endless `tf.data.Dataset` of training batches.

    Each epoch has a new random order, and its last incomplete batch is dropped. Order and
    mirroring depend only on the seed and the batch's number, so a resumed run sees exactly
    the batches that an uninterrupted one would have seen.

    Args:
        samples: uint8 pictures (N, S, S, C), or float32 points (N, 2), which stay as they
            are; N at least `batch_size`.
        batch_size: samples per batch.
        seed: of order and mirroring.
        mirror: whether half of the pictures are flipped left to right.
        first_batch: number of the first batch, 0 for a new run.
        replicas: a `tf.distribute.InputContext`, to get only the parts of each batch that
            the replicas of one worker train on; None for whole batches.
        weights: how often an epoch shows each sample, (N,), above 0 and 1 on average, once 100,000
            samples have been shown; a weight of 2.3 means twice or three times. None for once each.

    Returns:
        A `tf.data.Dataset` of float32 (batch_size, S, S, C) in [-1, 1], or (batch_size, 2).
    """
    per_epoch = len(samples) // batch_size
    of_pictures = samples.ndim == 4
    replicas = replicas or tf.distribute.InputContext()
    size = batch_size // replicas.num_replicas_in_sync
    parts_here = replicas.num_replicas_in_sync // replicas.num_input_pipelines
    first = replicas.input_pipeline_id * parts_here * size
    mine = slice(first, first + parts_here * size)

    def batch_of(number: Any, indices: Any) -> Any:
        # A constant of the graph would copy all samples in memory.
        kind = tf.uint8 if of_pictures else tf.float32
        batch = tf.numpy_function(lambda chosen: samples[chosen], [indices[mine]], kind)
        batch.set_shape((parts_here * size, *samples.shape[1:]))
        if of_pictures:
            batch = tf.cast(batch, tf.float32) / 127.5 - 1
        if of_pictures and mirror:
            key = tf.stack([tf.constant(seed, tf.int64), number])
            flip = tf.random.stateless_uniform((batch_size, 1, 1, 1), key) < 0.5
            batch = tf.where(flip[mine], tf.reverse(batch, axis=[2]), batch)
        return batch

    weights = np.ones(len(samples)) if weights is None else weights
    orders = _orders(weights, batch_size, seed, first_batch // per_epoch)
    numbers = tf.data.Dataset.counter(first_batch)
    numbered = tf.data.Dataset.zip(numbers, orders.skip(first_batch % per_epoch))
    dataset = numbered.map(batch_of)
    if parts_here > 1:
        dataset = dataset.unbatch().batch(size, drop_remainder=True)
    options = tf.data.Options()
    # There is nothing to tune here, and TensorFlow's tuning thread, which sleeps for up to a minute
    # at a time, sometimes misses the call to end: training then ended 20 to 75 s late.
    options.autotune.enabled = False
    return dataset.prefetch(2).with_options(options)


def _orders(weights: NDArray[np.float64], batch_size: int, seed: int, first_epoch: int) -> Any:
    """A dataset of the indices of each batch, in a new order in each epoch."""
    # Each sample owns a stretch of a line, as long as its weight. Every epoch lays points at a
    # distance of 1 on the line (systematic sampling), so none is shown much more than it should be.
    count = len(weights)
    even = np.arange(1.0, count + 1)
    ends = np.cumsum(weights) * (count / weights.sum())
    ends[-1] = count

    def order_of(epoch: Any) -> Any:
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        share = tf.minimum(tf.cast(epoch * count, tf.float64) / FULL_WEIGHT_AFTER, 1)
        offset = tf.cast(tf.random.stateless_uniform((), key), tf.float64)
        points = offset + tf.range(count, dtype=tf.float64)
        order = tf.searchsorted(
            even + share * (ends - even), points, side="right", out_type=tf.int32
        )
        order = tf.random.experimental.stateless_shuffle(order, seed=key)
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size, drop_remainder=True)

    return tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(order_of)
