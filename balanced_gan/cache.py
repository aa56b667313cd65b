"""Decoded pictures kept on disk, so that a folder is decoded once and memory stays flat.

    runs/cache/0f3c.../
        pictures.raw    uint8, one picture after the other
        index.json      their shape, and the files that could not be used

A folder of the cache is named after everything that its pictures depend on, is written under
another name and then renamed: it is whole or not there, and never changes. So any number of
processes may read it, and the slower of two that write it throws its own away.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

_FORMAT = 1  # to be raised when the same files would give other pixels
_KEPT_DAYS = 30  # since it was last used


class StoredPictures:
    """Pictures in a file, read when asked for.

    Takes the place of an array (N, S, S, C) of uint8 where only its length and shape are
    asked for, or some of its pictures by slice or array of numbers. Read and not mapped: of a
    file that is mapped, every page once touched counts as the process's own memory.

    Args:
        file: a `pathlib.Path`.
        shape: (N, S, S, C).

    Raises:
        ValueError: if the file is not as long as that.
    """

    def __init__(self, file, shape):
        if file.stat().st_size != np.prod(shape, dtype=np.int64):
            raise ValueError(f"{str(file)!r} is not as long as its pictures")
        self.shape = tuple(shape)
        self.ndim = len(shape)
        self._numbers = np.arange(len(self))
        self._file = file.open("rb", buffering=0)
        self._alone = threading.Lock()  # the place in the file is one for all threads

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, which):
        numbers = self._numbers[which]
        found = np.empty((*numbers.shape, *self.shape[1:]), np.uint8)
        pictures = found.reshape(-1, *self.shape[1:])
        with self._alone:
            for picture, number in zip(pictures, numbers.ravel(), strict=True):
                self._file.seek(int(number) * picture.nbytes)
                self._file.readinto(picture)
        return found


def key_of(root, names, **how):
    """A name for the pictures of some files, another one as soon as a file changes.

    Args:
        root: a `pathlib.Path`, the folder.
        names: paths relative to it.
        **how: what else the pictures depend on.

    Returns:
        A string fit for a file name, 32 hexadecimal digits.
    """
    key = hashlib.sha256(json.dumps([_FORMAT, str(root.resolve()), how]).encode())
    for name in names:
        try:
            status = (root / name).stat()
            facts = status.st_size, status.st_mtime_ns, status.st_mode
        except OSError:
            facts = None
        key.update(f"{name!r} {facts}\n".encode(errors="surrogatepass"))
    return key.hexdigest()[:32]


def stored_or_made(cache, key, shape, make):
    """What the cache holds under a key; if nothing, it is made and kept.

    Args:
        cache: a `pathlib.Path`, the cache's folder.
        key: from `key_of`.
        shape: (S, S, C) of a picture.
        make: function of a `write` that takes the bytes of one picture after the other;
            returns the files that could not be used.

    Returns:
        `(StoredPictures, skipped)`.

    Raises:
        OSError: if the cache cannot be written.
    """
    folder = cache / key
    found = _open(folder, shape)
    if found:
        return found
    cache.mkdir(parents=True, exist_ok=True)
    _remove_old(cache)
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=cache))
    try:
        with (unfinished / "pictures.raw").open("wb") as file:
            skipped = make(file.write)
            count = file.tell() // int(np.prod(shape))
            _flush(file)
        with (unfinished / "index.json").open("w", encoding="utf-8") as file:
            json.dump({"shape": [count, *shape], "skipped": skipped}, file)
            _flush(file)
        try:
            os.replace(unfinished, folder)
        except OSError:  # there is one: damaged, unless another process was faster
            if _open(folder, shape) is None:
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return _open(folder, shape)


def _open(folder, shape):
    """`(StoredPictures, skipped)` of a folder of the cache, or None if it is not as it must be."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        count, *rest = index["shape"]
        if rest != list(shape):
            return None
        pictures = StoredPictures(folder / "pictures.raw", (count, *shape))
        os.utime(folder)  # see _remove_old
        return pictures, [tuple(pair) for pair in index["skipped"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _flush(file):
    file.flush()
    os.fsync(file.fileno())


def _remove_old(cache):
    """Removes what has not been used for a month, and what a crash left behind."""
    for folder in cache.iterdir():
        unfinished = folder.name.startswith("unfinished-")
        # Nothing else: runs/cache may be a link to where other things are too.
        if unfinished or re.fullmatch("[0-9a-f]{32}", folder.name):
            days = (time.time() - folder.stat().st_mtime) / 86400
            if days > (1 if unfinished else _KEPT_DAYS):
                shutil.rmtree(folder, ignore_errors=True)
