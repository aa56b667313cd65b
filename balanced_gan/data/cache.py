"""Decoded pictures kept on disk, so that a folder is decoded once and memory stays flat.

    runs/cache/0f3c.../
        pictures.raw    uint8, one picture after the other
        index.json      their shape, and the files that could not be used

The name of a folder in the cache is a hash of everything that its pictures depend on. A folder is
written under another name and then renamed, so it is complete or missing, and never changes.
Any number of processes can read it; of two that write it, the slower one discards its own.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balanced_gan.data.finding import Skipped
from balanced_gan.files import atomic_open, atomic_write, replace

_FORMAT = 3  # raise it when the same files would give other pixels
_KEPT_DAYS = 30  # since the last use


class StoredPictures:
    """Pictures in a file, read when they are needed.

    Replaces a uint8 array (N, S, S, C) for code that uses only its length, its shape, and
    some of its pictures by slice or by an array of numbers. The file is read and not mapped,
    because every touched page of a mapped file counts as the process's own memory.

    Args:
        file: the pictures, one after the other.
        shape: (N, S, S, C).

    Raises:
        ValueError: if the length of the file does not fit the shape.
    """

    def __init__(self, file: Path, shape: tuple[int, ...]) -> None:
        if file.stat().st_size != np.prod(shape, dtype=np.int64):
            raise ValueError(f"{str(file)!r} is not as long as its pictures")
        self.shape = tuple(shape)
        self.ndim = len(shape)
        self._numbers = np.arange(len(self))
        self._file = file.open("rb", buffering=0)
        self._alone = threading.Lock()  # all threads share one position in the file

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: Any) -> NDArray[np.uint8]:
        numbers = self._numbers[which]
        found = np.empty((*numbers.shape, *self.shape[1:]), np.uint8)
        pictures = found.reshape(-1, *self.shape[1:])
        with self._alone:
            for picture, number in zip(pictures, numbers.ravel(), strict=True):
                self._file.seek(int(number) * picture.nbytes)
                if self._file.readinto(picture) != picture.nbytes:
                    raise OSError(f"{self._file.name!r} ended early")
        return found


def key_of(root: Path, names: Sequence[str], **how: Any) -> str:
    """A name for the pictures made from some files: 32 hexadecimal digits.

    It changes when a file changes.

    Args:
        names: paths of the files, relative to `root`.
        **how: everything else that the pictures depend on.
    """
    key = hashlib.sha256(json.dumps([_FORMAT, str(root.resolve()), how]).encode())
    facts: tuple[int, int, int] | None
    for name in names:
        try:
            status = (root / name).stat()
            facts = status.st_size, status.st_mtime_ns, status.st_mode
        except OSError:
            facts = None
        key.update(f"{name!r} {facts}\n".encode(errors="surrogatepass"))
    return key.hexdigest()[:32]


def stored_or_made(
    cache: Path,
    key: str,
    shape: tuple[int, int, int],
    make: Callable[[Callable[[bytes], object]], tuple[Skipped, bool]],
) -> tuple[StoredPictures, Skipped]:
    """Returns the pictures that the cache has under a key, or makes and keeps them.

    Args:
        cache: the cache's folder; created if missing.
        key: from `key_of`.
        shape: (S, S, C) of a picture.
        make: is given a function that writes the bytes of one picture after the other, and
            returns the files that could not be used, and whether that will last. Where a read
            failed, it may not: the pictures are then made again at the next start.

    Returns:
        `(pictures, skipped)`: skipped are the files that could not be used, `(path, reason)`.

    Raises:
        OSError: if the cache cannot be written or read.
    """
    folder = cache / key
    found = _open(folder, shape)
    if found:
        return found
    cache.mkdir(parents=True, exist_ok=True)
    _remove_old(cache)
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=cache))
    try:
        with atomic_open(unfinished / "pictures.raw") as file:
            skipped, lasting = make(file.write)
            count = file.tell() // int(np.prod(shape))
        index = {"shape": [count, *shape], "skipped": skipped, "lasting": lasting}
        atomic_write(unfinished / "index.json", json.dumps(index).encode())
        try:
            replace(unfinished, folder)
        except OSError:  # it exists: damaged, or another process was faster
            if _open(folder, shape) is None:
                shutil.rmtree(folder, ignore_errors=True)
                replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    made = _open(folder, shape, any_index=True)
    if made is None:
        raise OSError(f"{str(folder)!r} cannot be read back")
    return made


def _open(
    folder: Path, shape: tuple[int, int, int], any_index: bool = False
) -> tuple[StoredPictures, Skipped] | None:
    """`(pictures, skipped)` from a folder of the cache; None if it is missing, damaged, or not
    lasting, unless `any_index`."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        count, *rest = index["shape"]
        if rest != list(shape) or not (any_index or index.get("lasting", True)):
            return None
        pictures = StoredPictures(folder / "pictures.raw", (count, *shape))
        with suppress(OSError):  # a cache that can only be read
            os.utime(folder)  # see _remove_old
        return pictures, [(name, reason) for name, reason in index["skipped"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _remove_old(cache: Path) -> None:
    """Removes folders that were not used for a month, and those that a crash left behind."""
    for folder in cache.iterdir():
        unfinished = folder.name.startswith("unfinished-")
        # Nothing else: runs/cache may be a link to a folder with other things in it.
        if unfinished or re.fullmatch("[0-9a-f]{32}", folder.name):
            with suppress(OSError):  # another process just removed it
                days = (time.time() - folder.stat().st_mtime) / 86400
                if days > (1 if unfinished else _KEPT_DAYS):
                    shutil.rmtree(folder, ignore_errors=True)
