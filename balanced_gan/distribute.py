"""The same training on several GPUs, processes or machines, through TensorFlow's `tf.distribute`.

*Workers* are processes that train one model together, each on its part of every batch; the
first, the *chief*, alone has the run folder and speaks. Which workers there are is said by the
variable TF_CONFIG of the environment, TensorFlow's own way. A worker with several GPUs has as many
*replicas* of the model. With one replica all functions here return what they were given.
"""

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
import traceback
from typing import NamedTuple

import numpy as np

from balanced_gan.errors import InputError

_PATIENCE = 60  # seconds for other processes to end by themselves


class Cluster(NamedTuple):
    """Who trains together."""

    number: int  # of this worker, 0 for the chief
    count: int  # of workers

    @property
    def is_chief(self):
        return self.number == 0


def cluster():
    """The `Cluster` that TF_CONFIG describes; one worker if it is not set.

    Raises:
        InputError: if TF_CONFIG is not as TensorFlow has it, or names other tasks than workers
            and a chief.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        return Cluster(0, 1)
    try:
        config = json.loads(text)
        chiefs, workers = (len(config["cluster"].get(job, [])) for job in ("chief", "worker"))
        kind, index = config["task"]["type"], int(config["task"]["index"])
        if index not in range({"chief": chiefs, "worker": workers}[kind]):
            raise ValueError("the cluster has no such task")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"TF_CONFIG in the environment cannot be used ({type(error).__name__}: {error}): it "
            'must be like {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", '
            f'"index": 0}}}}. Received: TF_CONFIG={text!r}'
        ) from None
    return Cluster(index + (chiefs if kind == "worker" else 0), chiefs + workers)


@contextlib.contextmanager
def local_workers(count):
    """Makes this process the chief of a cluster on this machine and starts the other workers
    with the same command; does nothing where TF_CONFIG already names that many.

    Args:
        count: of workers, this one included; None for what TF_CONFIG says.

    Raises:
        InputError: if TF_CONFIG names another number.
    """
    given = cluster().count
    if count is None or count == given:
        yield
        return
    if given > 1:
        raise InputError(f"TF_CONFIG names {given} workers. Received: --workers {count}")
    addresses = _free_addresses(count)
    others = []
    try:
        for number in range(count):
            task = {"type": "worker", "index": number}
            config = json.dumps({"cluster": {"worker": addresses}, "task": task})
            if number == 0:
                os.environ["TF_CONFIG"] = config
                continue
            others.append(
                subprocess.Popen(
                    [sys.executable, *sys.argv],
                    env={**os.environ, "TF_CONFIG": config},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
            )
        yield
        for other in others:
            other.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        pass
    finally:
        for other in others:
            other.kill()
            other.wait()


def _free_addresses(count):
    with contextlib.ExitStack() as open_ones:
        sockets = [open_ones.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


@functools.cache
def strategy():
    """TensorFlow's strategy for this process: to be asked for before TensorFlow computes anything.

    Waits until all workers are there.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:  # or TensorFlow takes all of its memory at once
        tf.config.experimental.set_memory_growth(gpu, True)
    if cluster().count > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(gpus) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def draw(sampler, shape, *args, seed):
    """Random numbers of which each replica gets its own part, so that all replicas together see
    what one would see.

    Args:
        sampler: such as `keras.random.normal`.
        shape: of this replica's part, one row a sample.
        *args: of `sampler`, after the shape.
        seed: a `keras.random.SeedGenerator` in the same state on all replicas, or an int.

    Returns:
        A tensor of that shape.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return sampler(shape, *args, seed=seed)
    everyones = sampler((context.num_replicas_in_sync * shape[0], *shape[1:]), *args, seed=seed)
    first = context.replica_id_in_sync_group * shape[0]
    return everyones[first : first + shape[0]]


def mean(values):
    """The mean over all replicas of each of a list of tensors; to be called on a replica."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values

    # Not the gradient that TensorFlow has for it, which belongs to one call of the replicas: ours
    # is asked for in another, that of the network whose turn it is.
    @tf.custom_gradient
    def of_all(*mine):
        totals = tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.MEAN, [tf.stop_gradient(value) for value in mine]
        )
        return totals, lambda *upstream: mean(list(upstream))

    return of_all(*values)


def share_of(gradients):
    """What a replica contributes to gradients that are summed over all of them."""
    import tensorflow as tf

    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    if replicas == 1:
        return gradients
    return [gradient / replicas for gradient in gradients]


def anyone(flags):
    """Whether each of some flags is set on any worker; all workers must ask, in the same place.

    Args:
        flags: a list of bools.

    Returns:
        The list of bools that all workers get.
    """
    if cluster().count == 1:
        return flags
    return [bool(total) for total in _sum_over_workers([np.int32(flag) for flag in flags])]


def from_chief(arrays):
    """The chief's values of some arrays, on every worker; likewise.

    Args:
        arrays: a list of NumPy arrays of numbers, of the same shapes and types everywhere.

    Returns:
        A list of arrays.
    """
    if cluster().count == 1:
        return arrays
    if not cluster().is_chief:
        arrays = [np.zeros_like(array) for array in arrays]
    return _sum_over_workers(arrays)


def text_from_chief(text):
    """The chief's text, on every worker; likewise."""
    if cluster().count == 1:
        return text
    data = np.frombuffer(text.encode(), np.uint8).astype(np.int32)
    (length,) = from_chief([np.int32(len(data))])
    (data,) = from_chief([data if cluster().is_chief else np.zeros(length, np.int32)])
    return data.astype(np.uint8).tobytes().decode()


def lost_worker(error):
    """The `InputError` of a TensorFlow error that came because another worker ended."""
    # Among their variables is a pool of threads that cannot be closed any more when Python ends,
    # and would say so with a traceback.
    traceback.clear_frames(error.__traceback__)
    return InputError(
        "Another worker stopped answering, so this one stopped. The newest checkpoint is whole: "
        "start all workers again with the same command to go on from there "
        f"({type(error).__name__})."
    )


def _sum_over_workers(arrays):
    import tensorflow as tf

    totals = list(arrays)
    try:
        for kind in sorted({array.dtype.name for array in arrays}):
            places = [i for i, array in enumerate(arrays) if array.dtype.name == kind]
            flat = np.concatenate([arrays[i].ravel() for i in places])
            total = _summing(kind)(flat).numpy()
            ends = np.cumsum([arrays[i].size for i in places])
            for place, part in zip(places, np.split(total, ends[:-1]), strict=True):
                totals[place] = part.reshape(arrays[place].shape)
    except tf.errors.OpError as error:
        raise lost_worker(error) from None
    return totals


@functools.cache
def _summing(kind):
    """The function that sums vectors of one type, of any length: of one that is traced for each
    length, TensorFlow complains on the terminal."""
    import tensorflow as tf

    workers = strategy()
    replicas_here = workers.num_replicas_in_sync // cluster().count

    def of_a_replica(vector):
        context = tf.distribute.get_replica_context()
        counts = context.replica_id_in_sync_group % replicas_here == 0
        return context.all_reduce(tf.distribute.ReduceOp.SUM, vector * tf.cast(counts, kind))

    @tf.function(input_signature=[tf.TensorSpec([None], kind)])
    def summed(vector):
        total = workers.run(of_a_replica, args=(vector,))
        return workers.experimental_local_results(total)[0]

    return summed
