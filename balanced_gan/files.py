"""Files that are written completely or not at all, and names that are safe on a terminal."""

import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)  # seconds


@contextmanager
def atomic_open(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing so that a crash leaves the old file or the new one, never a part.

    Args:
        path: of the file; its folder must exist.

    Yields:
        A binary file, which replaces the one at `path` when it is closed.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
    except BaseException as error:  # a full disk, or a second Ctrl-C
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # not the temporary one, which is gone
        raise


def replace(source: Path, target: Path) -> None:
    """`os.replace` of a file or a folder, tried again for three seconds: on Windows a virus scanner
    may hold a file that was just written.

    Raises:
        OSError: if it cannot be done.
    """
    for pause in _PAUSES:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            time.sleep(pause)
    os.replace(source, target)


def atomic_write(path: Path, data: bytes) -> None:
    """Writes bytes to a file through `atomic_open`."""
    with atomic_open(path) as file:
        file.write(data)


def is_compressed(file: Path) -> bool:
    """Whether the contents of a zip archive are larger than the archive.

    This program stores checkpoints and networks uncompressed. In an untrusted file, a few
    kilobytes could unpack to gigabytes.

    Raises:
        OSError, zipfile.BadZipFile: if it cannot be read or is not an archive.
    """
    with zipfile.ZipFile(file) as archive:
        return sum(entry.file_size for entry in archive.infolist()) > file.stat().st_size


def printable(name: str) -> str:
    """A file's name without control characters: a line feed becomes a backslash and an n."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)
