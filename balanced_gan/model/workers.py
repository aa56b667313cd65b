"""Training on several GPUs, processes or machines with TensorFlow's `tf.distribute`.

*Workers* are processes that train one model together, each on its part of every batch. Only the
first worker, the *chief*, has the run folder and reports on the training. TensorFlow's environment
variable TF_CONFIG lists the workers. A worker with several GPUs has one *replica* of the model on
each. With a single worker, the functions that exchange values return their arguments unchanged.
"""

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from balanced_gan.errors import InputError

_PATIENCE = 60  # seconds to wait for the other processes to end


class Cluster(NamedTuple):
    """This worker's number and the number of workers."""

    number: int  # 0 for the chief
    count: int  # type: ignore[assignment]  # hides `tuple.count`

    @property
    def is_chief(self) -> bool:
        """Whether this worker is the chief."""
        return self.number == 0


def cluster() -> Cluster:
    """Reads the cluster from TF_CONFIG. Without TF_CONFIG there is one worker.

    Raises:
        InputError: if TF_CONFIG is malformed, or this task is neither a worker nor the chief.
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
            f"The environment variable TF_CONFIG is invalid ({type(error).__name__}: {error}). It "
            'must look like {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", '
            f'"index": 0}}}}. Received: TF_CONFIG={text!r}'
        ) from None
    return Cluster(index + (chiefs if kind == "worker" else 0), chiefs + workers)


@contextlib.contextmanager
def local_workers(count: int | None) -> Iterator[None]:
    """Makes this process the chief and starts the other workers on this machine.

    They run the same command. Does nothing if TF_CONFIG already lists `count` workers.

    Args:
        count: number of workers including this one; None for the number in TF_CONFIG.

    Raises:
        InputError: if TF_CONFIG lists another number of workers.
    """
    given = cluster().count
    if count is None or count == given:
        yield
        return
    if given > 1:
        raise InputError(f"TF_CONFIG lists {given} workers. Received: --workers {count}")
    addresses = _free_addresses(count)
    command = [sys.executable, *sys.argv]
    if not sys.argv[0].endswith("train.py"):  # an installed command, on Windows without its .exe
        command = [sys.executable, "-m", "balanced_gan", *sys.argv[1:]]
    of_chief, *configs = (
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}})
        for number in range(count)
    )
    os.environ["TF_CONFIG"] = of_chief
    others: list[subprocess.Popen[bytes]] = []
    nothing = subprocess.DEVNULL
    try:
        for config in configs:
            env = {**os.environ, "TF_CONFIG": config}
            others.append(subprocess.Popen(command, env=env, stdin=nothing, stdout=nothing))
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
def strategy() -> Any:
    """The `tf.distribute.Strategy` of this process.

    Must first be called before TensorFlow computes anything. Waits until all workers are
    connected.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:  # otherwise TensorFlow takes all of its memory at once
        tf.config.experimental.set_memory_growth(gpu, True)
    if cluster().count > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(gpus) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def any_worker(flags: list[bool]) -> list[bool]:
    """Whether each flag is set on at least one worker.

    All workers must call this at the same point. All get the same list, one value for each flag.
    """
    return [bool(total) for total in _sum_over_workers([np.int32(flag) for flag in flags])]


def from_chief(arrays: list[Any]) -> list[Any]:
    """Sends the chief's NumPy arrays or scalars to all workers and returns them.

    All workers must call this at the same point, with the same shapes and dtypes.
    """
    if not cluster().is_chief:
        arrays = [np.zeros_like(array) for array in arrays]
    return _sum_over_workers(arrays)


def text_from_chief(text: str) -> str:
    """Sends the chief's text to all workers.

    All workers must call this at the same point.
    """
    data = np.frombuffer(text.encode(), np.uint8).astype(np.int32)
    (length,) = from_chief([np.int32(len(data))])
    (data,) = from_chief([data if cluster().is_chief else np.zeros(length, np.int32)])
    return data.astype(np.uint8).tobytes().decode()


def lost_worker(error: Exception) -> InputError:
    """Turns a TensorFlow error into an `InputError` that says that another worker ended."""
    # The frames hold a pool of threads. It could not be closed when Python exits and would print
    # a traceback then.
    traceback.clear_frames(error.__traceback__)
    return InputError(
        "Another worker stopped answering, so this one stopped. The newest checkpoint is intact: "
        "start all workers again with the same command to continue from there "
        f"({type(error).__name__})."
    )


def _sum_over_workers(arrays):
    if cluster().count == 1:
        return arrays
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
    """A function that sums vectors of one dtype over all workers.

    It accepts vectors of any length. TensorFlow prints warnings about a function that is traced
    again for each length.
    """
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
