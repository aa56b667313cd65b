"""Checkpoints: everything that training changes, so that resuming a run does not alter it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from balanced_gan.errors import InputError, is_out_of_memory
from balanced_gan.files import atomic_open, atomic_write, is_compressed
from balanced_gan.model.gan import BalancedGAN
from balanced_gan.model.networks import plain_copy
from balanced_gan.runs.run import Run

KEPT_CHECKPOINTS = 3  # about 25 MB each, with the default networks at 64x64


def save_checkpoint(run: Run, gan: BalancedGAN, seconds: float) -> None:
    """Saves all variables of a model, and its networks in files of their own.

    Args:
        gan: a compiled model.
        seconds: training time so far.

    Raises:
        FloatingPointError: if a variable is not finite; nothing is saved then.
    """
    generator = gan.recalibrated_generator()  # first: its new statistics are among the variables
    arrays: dict[str, Any] = {
        name: np.asarray(variable.value) for name, variable in named_variables(gan).items()
    }
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise FloatingPointError(f"a weight was not finite at step {gan.steps_done}")
    step = gan.steps_done
    if run.history_file.exists():  # must not be behind the checkpoint after a power cut
        with run.history_file.open("ab") as history:
            os.fsync(history.fileno())
    # Before the checkpoint: without them, a finished run would never get its last networks.
    save_networks(run, generator, gan.discriminator)
    folder = run.path / "checkpoints"
    folder.mkdir(exist_ok=True)
    for torn in folder.glob("*.tmp"):  # left by a killed process
        torn.unlink(missing_ok=True)
    # Straight to the file: 114 million parameters would take 1.7 GiB of memory.
    with atomic_open(folder / f"step-{step:08d}.npz") as file:
        np.savez(file, seconds=seconds, **arrays)
    for old in _newest_first(run)[KEPT_CHECKPOINTS:]:
        old.unlink(missing_ok=True)


def load_checkpoint(run: Run, gan: BalancedGAN) -> tuple[float, list[str]]:
    """Restores the newest usable checkpoint into a compiled model.

    Args:
        gan: a compiled model with the same settings.

    Returns:
        `(seconds, damaged)`: the training time until then, and the names of newer
        checkpoints that could not be read. Without any checkpoint, the model does not
        change and seconds is 0.

    Raises:
        InputError: if there are checkpoints and none can be read, or if they were removed.
    """
    if not _newest_first(run) and any("ended" in each for each in run.metadata()["sessions"]):
        raise InputError(
            f"The checkpoints of {str(run.path)!r} are gone, so it cannot be continued. A new run "
            f"can begin with its networks: --new --start {run.name}"
        )
    unusable: dict[str, Exception] = {}
    variables = named_variables(gan)
    for file in _newest_first(run):
        try:
            seconds, arrays = _read_checkpoint(file, variables)
        except Exception as error:  # a damaged archive raises a dozen kinds
            if is_out_of_memory(error):  # an older one is no smaller
                raise
            unusable[file.name] = error
            continue
        for name, array in arrays.items():
            variables[name].assign(array)
        return seconds, list(unusable)
    if unusable:
        others = all(isinstance(error, InputError) for error in unusable.values())
        why = "fits this version of the program" if others else "can be read"
        raise InputError(
            f"No checkpoint of {str(run.path)!r} {why}: {', '.join(unusable)}. "
            "Start a new run with --new."
        )
    return 0.0, []


def save_networks(run: Run, generator: keras.Model, discriminator: keras.Model) -> None:
    """Writes both networks of a model so that Keras can load them without this package.

    Args:
        generator: from `BalancedGAN.recalibrated_generator`.
    """
    files = {run.generator_file: generator, run.discriminator_file: plain_copy(discriminator)}
    for file, network in files.items():
        temporary = file.with_suffix(".tmp.keras")  # Keras insists on the suffix
        try:
            network.save(temporary)
            atomic_write(file, temporary.read_bytes())
        finally:
            temporary.unlink(missing_ok=True)


def named_variables(gan: BalancedGAN) -> dict[str, Any]:
    """Everything that training changes: networks, EMA, random states, counters, optimizers. By
    name, so that arrays of equal shapes cannot change places in a file.

    Returns:
        A dict such as `{"generator/000-kernel": variable, "streak": ...}`. Names of layers are
        not in it, since Keras numbers them anew for every model that a process builds.
    """
    names: dict[int, str] = {}
    for part in ("generator", "discriminator", "ema_generator"):
        for number, variable in enumerate(getattr(gan, part).variables):
            names[id(variable)] = f"{part}/{number:03d}-{variable.name}"
    variables = list(gan.variables)
    for part in ("generator_optimizer", "discriminator_optimizer"):
        for number, variable in enumerate(getattr(gan, part).variables):
            names[id(variable)] = f"{part}/{number:03d}"
            variables.append(variable)
    return {names.get(id(each), each.name): each for each in variables}


def _newest_first(run: Run) -> list[Path]:
    return sorted((run.path / "checkpoints").glob("step-*.npz"), reverse=True)


def _read_checkpoint(
    file: Path, variables: Mapping[str, Any]
) -> tuple[float, dict[str, NDArray[Any]]]:
    """Reads `(seconds, {name: array})` from a file; assigns nothing.

    Versions before 2026-11-28 had no `r1_weight`, and those before 2026-11-25 numbered the arrays.

    Raises:
        InputError: if it was made by other networks.
        Exception: of any kind, if it is damaged.
    """
    if is_compressed(file):
        raise ValueError("compressed, which this program never does")
    with np.load(file, allow_pickle=False) as stored:  # reading verifies the zip checksums
        names = [name for name in stored.files if name != "seconds"]
        expected = list(variables)
        if len(names) < len(expected):
            expected.remove("r1_weight")
        if names not in (expected, [f"v{i:04d}" for i in range(len(expected))]):
            raise InputError("made by other networks")
        arrays = {name: stored[found] for name, found in zip(expected, names, strict=True)}
        seconds = float(stored["seconds"])
    if any(array.shape != tuple(variables[name].shape) for name, array in arrays.items()):
        raise InputError("made by other networks")
    return seconds, arrays
