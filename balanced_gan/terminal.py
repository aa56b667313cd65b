"""What the terminal shows: no messages from libraries, and the program's own name."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from typing import Any, TextIO

from balanced_gan import memory, processor
from balanced_gan.errors import InputError, is_out_of_memory

_WINDOWS_NEEDS = (
    "; on Windows, it also needs Microsoft's Visual C++ Redistributable: "
    "https://aka.ms/vs/17/release/vc_redist.x64.exe"
)


class Messages:
    """A stream for messages whose writes never fail: a full disk, or a closed terminal or pipe,
    must not end training."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def close(self) -> None:
        with suppress(OSError):
            self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def quiet_libraries() -> Iterator[Messages]:
    """Discards what is written to file descriptor 2. TensorFlow's messages about processors and
    missing GPUs, and the decoders' about damaged pictures, do not pass through Python.

    Yields:
        A text stream that still writes to where descriptor 2 led before.
    """
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        with closing(Messages(os.fdopen(os.dup(saved), "w"))) as stream:
            yield stream
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@contextmanager
def quiet_import() -> Iterator[None]:
    """Imports TensorFlow without its messages, some of which ignore its log level.

    The block is run before TensorFlow computes anything, as `workers.strategy` needs. Its messages
    are discarded, too.

    Raises:
        InputError: if TensorFlow cannot run here.
    """
    if processor.lacks_avx():
        raise InputError(
            "This processor lacks the AVX instructions that TensorFlow needs, so it cannot train."
        )
    memory.take_from_c_library()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # even if ~/.keras/keras.json says otherwise
    with quiet_libraries():
        try:
            import tensorflow as tf
        except ModuleNotFoundError:
            raise  # said by the command line
        except Exception as error:  # a library that does not load, or half an installation
            if is_out_of_memory(error):
                raise
            reason = str(error).strip().splitlines()
            raise InputError(
                f"TensorFlow cannot be loaded: {reason[0] if reason else type(error).__name__}. "
                "Install it again: python -m pip install --force-reinstall -r requirements.txt"
                f"{_WINDOWS_NEEDS if os.name == 'nt' else ''}"
            ) from None

        yield
        tf.zeros(1)  # here, because the first operation prints some of them again


def program() -> str:
    """The command that started this program."""
    return "python train.py" if sys.argv[0].endswith("train.py") else "balanced-gan"


def require_package(option: str, package: str, to_install: str | None = None) -> None:
    """Checks that a package which an option needs is installed.

    Args:
        option: as the user writes it.
        package: its name in Python.
        to_install: its name for pip; None if it is the same.

    Raises:
        InputError: that says what to install.
    """
    if find_spec(package) is None:
        raise InputError(
            f"{option} needs a package that is not installed: "
            f"python -m pip install {to_install or package}"
        )
