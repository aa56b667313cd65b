"""From a folder of picture files to a uint8 array of square pictures.

`face_crop` finds the faces, and `decode` knows the file formats. The results are RGB or grey, not
in OpenCV's blue-green-red order.
"""

import dataclasses
import io
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from balanced_gan.data.cache import StoredPictures, key_of, stored_or_made
from balanced_gan.data.decode import UnusablePictureError, decode, known_formats, quiet_decoders
from balanced_gan.data.face_crop import SEARCH_SIDE, cut_faces
from balanced_gan.data.finding import SUFFIXES, Found, Skipped, find_images
from balanced_gan.errors import InputError
from balanced_gan.files import printable
from balanced_gan.settings import Settings
from balanced_gan.terminal import quiet_libraries

# Reasons that may be gone the next time: a cloud's or a network's file that is offline now.
_FAILED_READS = ("cannot be opened", "gone while reading", "not enough memory")
_READ_AHEAD = 1024  # files in progress at once: enough for every thread, little memory
_TASKS_PER_CORE = 8  # with a task for each small file, threads would wait for Python's lock


def load_folder(
    path: str | Path, settings: Settings, cache: Path | None = None
) -> tuple[NDArray[np.uint8] | StoredPictures, Skipped]:
    """Reads every picture in a folder and its subfolders, and skips unusable files.

    Files are read in the order of their sorted paths, so the same folder gives the same
    pictures on every system.

    Args:
        path: the folder. Links to other folders are not followed.
        settings: those of the group "Pictures" say which files to read, how many of them, and
            how they become square; `path`, `mirror` and `cache` are ignored.
        cache: folder in which to keep decoded pictures and find them again; None to hold
            them in memory, which also happens if the folder cannot be written.

    Returns:
        `(pictures, skipped)`: uint8 (N, image_size, image_size, channels), and what could not be
        used, with paths relative to the folder.

    Raises:
        InputError: if there is no such folder, or no usable picture in it.
    """
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"There is no folder to read pictures from: path={str(path)!r}.")
    found = find_images(root, settings.pattern)
    if not found.names:
        raise InputError(_nothing_found(root, settings.pattern, found, []))
    shape = settings.image_size, settings.image_size, settings.channels

    def read(name: str) -> list[NDArray[np.uint8]] | str:
        try:
            return read_picture(root / name, settings)
        except MemoryError:
            return "not enough memory"

    def read_all(write: Callable[[bytes], object]) -> tuple[Skipped, bool]:
        skipped, count = _read_all(found.names, settings.max_images or sys.maxsize, read, write)
        if count == 0:
            raise InputError(_nothing_found(root, settings.pattern, found, skipped))
        return skipped, not any(reason.startswith(_FAILED_READS) for _, reason in skipped)

    if cache:
        how = {
            field.name: getattr(settings, field.name)
            for field in dataclasses.fields(settings)
            if field.metadata["group"] == "Pictures"
            and field.name not in ("path", "pattern", "mirror", "oversampling", "cache")
        }
        key = key_of(root, found.names, formats=known_formats(), **how)
        try:
            pictures, skipped = stored_or_made(cache, key, shape, read_all)
            return pictures, found.left_out + skipped
        except OSError as error:
            reason = error.strerror or type(error).__name__
            note = f"cannot be used, so all pictures are held in memory: {reason}"
            found.left_out.append((str(cache), note))
    memory = io.BytesIO()
    skipped, _ = read_all(memory.write)
    return np.frombuffer(memory.getbuffer(), np.uint8).reshape(-1, *shape), found.left_out + skipped


def _read_all(
    names: Sequence[str],
    limit: int,
    read: Callable[[str], list[NDArray[np.uint8]] | str],
    write: Callable[[bytes], object],
) -> tuple[Skipped, int]:
    """Writes the bytes of at most `limit` good pictures; returns `(skipped, count)`.

    Decodes in threads: OpenCV releases Python's lock.
    """
    skipped, good, waiting = [], 0, iter(names)
    threads = os.cpu_count() or 1
    with (
        quiet_libraries() as terminal,
        quiet_decoders(),
        ThreadPoolExecutor(threads) as pool,
        tqdm(
            total=min(limit, len(names)),
            desc="reading pictures",
            leave=False,
            delay=1,
            file=terminal,
        ) as progress,
    ):
        while chunk := list(islice(waiting, min(_READ_AHEAD, limit - good))):
            size = max(1, len(chunk) // (_TASKS_PER_CORE * threads))
            tasks = [chunk[start : start + size] for start in range(0, len(chunk), size)]
            results = chain.from_iterable(pool.map(lambda task: [*map(read, task)], tasks))
            for name, result in zip(chunk, results, strict=True):
                if isinstance(result, str):
                    skipped.append((name, result))
                    continue
                for picture in result[: limit - good]:
                    write(picture.tobytes())
                    good += 1
                    progress.update()
    return skipped, good


def _nothing_found(root: Path, pattern: str | None, found: Found, skipped: Skipped) -> str:
    count = f"{len(found.names)} found, none usable" if found.names else "none found"
    reasons = Counter(reason for _, reason in skipped).most_common(2)
    why = "; ".join(f"{reason} ({times})" for reason, times in reasons)
    wanted = f" whose path ends in {pattern!r}" if pattern else ""
    others = len(find_images(root).names) - len(found.names)
    hint = f", but {others} with other names: --pattern '*' takes all" if others else ""
    return (
        f"No picture to train on: looked below {str(root.resolve())!r} for "
        f"{', '.join(s[1:] for s in SUFFIXES)} files{wanted}; {count}{hint}."
        + (f" Reasons: {why}." if why else "")
        + "".join(f" {printable(name)}: {reason}." for name, reason in found.left_out[:2])
    )


def read_picture(path: Path, settings: Settings) -> list[NDArray[np.uint8]] | str:
    """Reads a file as square pictures; the settings are those of `load_folder`.

    Returns:
        A list of uint8 (image_size, image_size, channels): one picture, or with crop "face"
        one for each face. If the file cannot be used, the reason as a string.
    """
    data = _read_bytes(path)
    if isinstance(data, str):
        return data
    size, smallest = settings.image_size, settings.face_smallest
    # A face is only a part of the picture, so more pixels are needed.
    needed = size if settings.crop != "face" else max(size / smallest, SEARCH_SIDE) / 2
    middle = settings.source_width, settings.source_height  # in pixels of the file at full scale
    try:
        picture = cut_middle(decode(data, needed, reduce=middle == (None, None)), *middle)
        if settings.crop == "face":
            most = settings.faces_per_picture
            squares = cut_faces(picture, size, settings.face_margin, smallest, most)
        else:
            squares = [fit_square(picture, size, settings.crop)]
    except UnusablePictureError as unusable:
        return str(unusable)
    except cv2.error as error:
        if error.code == cv2.Error.STS_NO_MEM:
            raise MemoryError from None
        return "too thin"  # one line of pixels, shrunk to nothing
    if not squares:
        return "no face found"
    code = cv2.COLOR_BGR2RGB if settings.channels == 3 else cv2.COLOR_BGR2GRAY
    shape = size, size, settings.channels
    return [np.asarray(cv2.cvtColor(s, code), np.uint8).reshape(shape) for s in squares]


def _read_bytes(path: Path) -> bytes | str:
    """The content of a file that is worth decoding, or the reason why it is not."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return "a folder, not a file"
        if not stat.S_ISREG(mode):
            return "not a regular file"  # opening a pipe would wait forever
        data = path.read_bytes()  # cv2.imread fails on Windows' non-ASCII names
    except FileNotFoundError:
        return "a broken link" if path.is_symlink() else "gone while reading"
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    if not data:
        return "an empty file"
    return data


def cut_middle(
    picture: NDArray[np.uint8], width: int | None = None, height: int | None = None
) -> NDArray[np.uint8]:
    """The middle of a picture, at most this wide and high in pixels; None for all of it."""
    top = max(0, picture.shape[0] - (height or picture.shape[0])) // 2
    left = max(0, picture.shape[1] - (width or picture.shape[1])) // 2
    return picture[top:, left:][:height, :width]


def fit_square(picture: NDArray[np.uint8], size: int, mode: str) -> NDArray[np.uint8]:
    """Makes a picture square.

    Args:
        picture: uint8 (H, W, 3).
        size: side of the result in pixels.
        mode: "center" cuts the longer side, "pad" adds black borders on the shorter one,
            "stretch" distorts.

    Returns:
        uint8 (size, size, 3).
    """
    height, width = picture.shape[:2]
    if mode == "center":
        side = min(height, width)
        picture = cut_middle(picture, side, side)
    elif mode == "pad":
        scale = size / max(height, width)
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        resized = _resize(picture, *inner)
        picture = np.zeros((size, size, 3), np.uint8)
        left, top = (size - inner[0]) // 2, (size - inner[1]) // 2
        picture[top : top + inner[1], left : left + inner[0]] = resized
    return _resize(picture, size, size)


def _resize(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    # Area averaging is the only OpenCV interpolation that does not alias when it shrinks.
    shrinks = picture.shape[1] >= width and picture.shape[0] >= height
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=interpolation), np.uint8)
