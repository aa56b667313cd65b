"""Files that are written whole or not at all, and names that a terminal can be shown."""

import os
import zipfile
from contextlib import contextmanager


@contextmanager
def whole_file(path):
    """Opens a file for writing so that a crash leaves the old one or the new one, never half of it.

    Args:
        path: a `pathlib.Path`; its folder must exist.

    Yields:
        A file object for bytes, which takes the path's place in the end.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:  # a full disk, or a second Ctrl-C
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)
        raise


def write_whole(path, data):
    """Writes bytes to a `whole_file`."""
    with whole_file(path) as file:
        file.write(data)


def unpacks_to_more(file):
    """Whether a zip archive is larger inside than outside.

    Checkpoints and networks are stored as they are; of a stranger's, a few kilobytes could
    unpack to gigabytes.

    Args:
        file: a `pathlib.Path`.

    Raises:
        OSError, zipfile.BadZipFile: if it cannot be read or is no archive.
    """
    with zipfile.ZipFile(file) as archive:
        return sum(entry.file_size for entry in archive.infolist()) > file.stat().st_size


def printable(name):
    """A file's name without what would control the terminal; `\\n` becomes a backslash and n."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)
