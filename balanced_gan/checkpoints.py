"""Checkpoints of a run: all that training changes, so that a resumed one equals one let alone."""

import os

import numpy as np

from balanced_gan.errors import InputError
from balanced_gan.files import unpacks_to_more, whole_file, write_whole
from balanced_gan.networks import is_plain, plain_copy

KEPT_CHECKPOINTS = 3  # of about 42 MB each with the default networks at 64x64


def save_checkpoint(run, gan, seconds):
    """Saves all variables of a compiled model, and the networks for use beside them.

    Args:
        run: a `Run`.
        gan: a compiled `BalancedGAN`.
        seconds: spent training so far.

    Raises:
        FloatingPointError: if a variable is not finite; nothing is saved then.
    """
    gan.settle()
    arrays = {f"v{i:04d}": np.asarray(v.value) for i, v in enumerate(all_variables(gan))}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise FloatingPointError(f"a weight was no number at batch {gan.steps_done}")
    step = gan.steps_done
    if run.history_file.exists():  # must not fall behind the checkpoint in a power cut
        with run.history_file.open("ab") as history:
            os.fsync(history.fileno())
    # First, since after a last checkpoint nobody would write them any more.
    save_networks(run, gan)
    folder = run.path / "checkpoints"
    folder.mkdir(exist_ok=True)
    for torn in folder.glob("*.tmp"):  # by a kill
        torn.unlink(missing_ok=True)
    # Not through memory: 114 million parameters are 1.7 GiB.
    with whole_file(folder / f"step-{step:08d}.npz") as file:
        np.savez(file, seconds=seconds, **arrays)
    for old in _newest_first(run)[KEPT_CHECKPOINTS:]:
        old.unlink(missing_ok=True)


def load_checkpoint(run, gan):
    """Restores the newest whole checkpoint into a compiled model.

    Args:
        run: a `Run`.
        gan: a compiled `BalancedGAN` of the same settings.

    Returns:
        `(seconds, damaged)`: seconds spent training until then, and the names of newer
        checkpoints that could not be read. Without any checkpoint, the model stays as
        it is and seconds is 0.

    Raises:
        InputError: if there are checkpoints and none can be read.
    """
    unusable = {}
    for file in _newest_first(run):
        try:
            seconds, arrays = _read_checkpoint(file, all_variables(gan))
        except Exception as error:  # a damaged archive raises a dozen kinds
            unusable[file.name] = error
            continue
        for variable, array in zip(all_variables(gan), arrays, strict=True):
            variable.assign(array)
        return seconds, list(unusable)
    if unusable:
        others = all(isinstance(error, InputError) for error in unusable.values())
        why = "fits; another version of this program made them" if others else "can be read"
        raise InputError(
            f"No checkpoint of {str(run.path)!r} {why}: {', '.join(unusable)}. "
            "Start a new run with --new."
        )
    return 0.0, []


def save_networks(run, gan):
    """Writes the settled EMA generator and the discriminator."""
    run.path.mkdir(exist_ok=True)
    save_network(gan.ema_generator, run.generator_file)
    judge = gan.discriminator
    if not is_plain(judge):
        judge = plain_copy(judge)
    save_network(judge, run.discriminator_file)


def save_network(network, file):
    """Writes a network so that Keras can load it anywhere.

    Args:
        network: a `keras.Model`.
        file: `generator_file` or `discriminator_file`.
    """
    temporary = file.with_suffix(".tmp.keras")  # Keras insists on the suffix
    try:
        network.save(temporary)
        write_whole(file, temporary.read_bytes())
    finally:
        temporary.unlink(missing_ok=True)


def all_variables(gan):
    """Everything that training changes: networks, EMA, random states, counters, optimizers."""
    return [
        *gan.variables,
        *gan.generator_optimizer.variables,
        *gan.discriminator_optimizer.variables,
    ]


def _newest_first(run):
    """The files of its checkpoints."""
    return sorted((run.path / "checkpoints").glob("step-*.npz"), reverse=True)


def _read_checkpoint(file, variables):
    """`(seconds, arrays)` of a file; assigns nothing.

    Raises:
        InputError: if it was made by other networks.
        Exception: of any kind, if it is damaged.
    """
    if unpacks_to_more(file):
        raise ValueError("compressed, and we compress none")
    with np.load(file, allow_pickle=False) as stored:  # its zip format checks sums on reading
        names = [name for name in stored.files if name != "seconds"]
        if names != [f"v{i:04d}" for i in range(len(names))]:
            raise ValueError("not the names that were written")
        arrays = [stored[name] for name in names]
        seconds = float(stored["seconds"])
    shapes = [tuple(variable.shape) for variable in variables]
    if [array.shape for array in arrays] != shapes:
        raise InputError("made by other networks")
    return seconds, arrays
