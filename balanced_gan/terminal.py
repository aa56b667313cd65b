"""What the terminal is spared, and how the program speaks of itself there."""

import os
import sys
from contextlib import contextmanager
from importlib.util import find_spec

from balanced_gan import memory
from balanced_gan.errors import InputError


@contextmanager
def quiet_libraries():
    """Sends file descriptor 2 nowhere: TensorFlow's messages about processors and missing GPUs,
    and what decoders say about damaged pictures, do not pass through Python.

    Yields:
        A text stream that still leads to where descriptor 2 led before.
    """
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        with os.fdopen(os.dup(saved), "w") as stream:
            yield stream
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@contextmanager
def quiet_import(prepare=lambda: None):
    """Imports TensorFlow without its messages, which come before its own log level counts.

    `prepare` is called before TensorFlow computes anything.
    """
    memory.take_from_c_library()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras/keras.json says
    with quiet_libraries():
        import tensorflow as tf

        prepare()
        tf.zeros(1)  # the first operation prints them once more
        yield


def program():
    """How the user calls us."""
    return "python train.py" if sys.argv[0].endswith("train.py") else "balanced-gan"


def need(option, package, to_install=None):
    """Raises an `InputError` that says what to install, unless an option's package is there."""
    if find_spec(package) is None:
        raise InputError(
            f"{option} needs a package that is not installed: "
            f"python -m pip install {to_install or package}"
        )
