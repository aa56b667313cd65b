"""Pictures in: folder -> uint8 arrays -> batches in [-1, 1]; the way back is `sheets.py`'s.

The only place that knows crops; file formats are `decoding.py`'s. From here on a picture is RGB
(or grey), not in OpenCV's blue-green-red order.
"""

import io
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from balanced_gan import MOST_MEGAPIXELS
from balanced_gan.cache import key_of, stored_or_made
from balanced_gan.decoding import decode, is_cut_short, is_too_large
from balanced_gan.errors import InputError
from balanced_gan.face_crop import SEARCH_SIDE, cut_faces
from balanced_gan.finding import SUFFIXES, find_pictures
from balanced_gan.terminal import quiet_libraries

_READ_AHEAD = 1024  # files under way at once: enough for every thread, little memory


def load_folder(
    path,
    image_size,
    channels,
    crop,
    pattern=None,
    max_images=None,
    source_size=(None, None),
    cache=None,
    faces=None,
):
    """Reads every picture below a folder, skipping what cannot be used.

    Files are taken in the order of their sorted paths, so the same folder gives the same
    pictures on every system.

    Args:
        path: the folder; walked recursively, links to folders are not followed.
        image_size: side of the square result in pixels.
        channels: 3 for RGB, 1 for grey.
        crop: "center", "pad" or "stretch", see `fit_square`; or "face".
        pattern: see `find_pictures`.
        max_images: stop after so many good pictures; None for all.
        source_size: `(width, height)` of the middle to keep before the crop, in pixels of
            the file; None for all.
        cache: folder to keep decoded pictures in and to find them again, a `pathlib.Path`;
            None to hold them in memory. If it cannot be written they are held in memory too.
        faces: for crop "face", `(margin, smallest, most)` as `face_crop.cut_faces` has them.

    Returns:
        `(pictures, skipped)`: uint8 (N, image_size, image_size, channels), an array or
        `StoredPictures`; and a list of `(path relative to the folder, reason)`.

    Raises:
        InputError: if there is no such folder, or no usable picture in it.
    """
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"There is no folder to read pictures from: path={str(path)!r}.")
    names, left_out = find_pictures(root, pattern)
    if not names:
        raise InputError(_nothing_found(root, names, pattern))
    shape = image_size, image_size, channels
    read = partial(
        read_picture,
        image_size=image_size,
        channels=channels,
        crop=crop,
        source_size=source_size,
        faces=faces,
    )

    def read_all(write):
        skipped, count = _read_all(root, names, max_images or sys.maxsize, read, write)
        if count == 0:
            raise InputError(_nothing_found(root, names, pattern))
        return skipped

    if cache:
        how = {"max_images": max_images, **read.keywords}
        with suppress(OSError):
            pictures, skipped = stored_or_made(cache, key_of(root, names, **how), shape, read_all)
            return pictures, left_out + skipped
    memory = io.BytesIO()
    skipped = read_all(memory.write)
    return np.frombuffer(memory.getbuffer(), np.uint8).reshape(-1, *shape), left_out + skipped


def _read_all(root, names, limit, read, write):
    """Writes the bytes of up to `limit` good pictures -> `(skipped, how many)`.

    Decoding runs in threads: OpenCV releases Python's lock.
    """
    skipped, good, waiting = [], 0, iter(names)
    with (
        quiet_libraries() as terminal,
        ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(
            total=min(limit, len(names)),
            desc="reading pictures",
            leave=False,
            delay=1,
            file=terminal,
        ) as progress,
    ):
        while chunk := list(islice(waiting, min(_READ_AHEAD, limit - good))):
            for name, result in zip(chunk, pool.map(lambda n: read(root / n), chunk), strict=True):
                if isinstance(result, str):
                    skipped.append((name, result))
                    continue
                for picture in result[: limit - good]:
                    write(picture.tobytes())
                    good += 1
                    progress.update()
    return skipped, good


def _nothing_found(root, names, pattern):
    found = f"{len(names)} found, none readable" if names else "none found"
    wanted = f" whose path ends in {pattern!r}" if pattern else ""
    others = len(find_pictures(root).names) - len(names)
    hint = f", but {others} with other names: --pattern '*' takes all" if others else ""
    return (
        f"No picture to train on: looked below {str(root.resolve())!r} for "
        f"{', '.join(s[1:] for s in SUFFIXES)} files{wanted}; {found}{hint}."
    )


def read_picture(path, image_size, channels, crop, source_size=(None, None), faces=None):
    """One file as square pictures, or the reason why not.

    Args:
        path: a `pathlib.Path`.
        image_size, channels, crop, source_size, faces: see `load_folder`.

    Returns:
        A list of uint8 (image_size, image_size, channels), of one but with crop "face"; or a
        string for `skipped`.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return "a folder, not a file"
        if not stat.S_ISREG(mode):
            return "not a regular file"  # opening a fifo would wait for ever
        data = path.read_bytes()  # not cv2.imread, which fails on non-ASCII names on Windows
    except FileNotFoundError:
        return "a link to nothing" if path.is_symlink() else "gone while reading"
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    if not data:
        return "an empty file"
    if is_cut_short(data):
        return "cut short"
    if is_too_large(data):
        return f"larger than {MOST_MEGAPIXELS} megapixels"
    # A face is a part of the picture, so more of it must be left.
    needed = image_size if crop != "face" else max(image_size / faces[1], SEARCH_SIDE) / 2
    # Pixels of the file are counted at its full scale.
    picture = decode(data, needed, reduce=source_size == (None, None))
    if picture is None:
        return "not a picture that OpenCV can read"
    picture = cut_middle(picture, *source_size)
    try:
        if crop == "face":
            squares = cut_faces(picture, image_size, *faces)
        else:
            squares = [fit_square(picture, image_size, crop)]
    except cv2.error:  # a line of pixels, shrunk to nothing
        return "too thin"
    if not squares:
        return "no face found"
    code = cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGR2GRAY
    shape = image_size, image_size, channels
    return [cv2.cvtColor(square, code).reshape(shape) for square in squares]


def cut_middle(picture, width=None, height=None):
    """The middle of a picture, at most so wide and high in pixels; None for all of it."""
    top = max(0, picture.shape[0] - (height or picture.shape[0])) // 2
    left = max(0, picture.shape[1] - (width or picture.shape[1])) // 2
    return picture[top:, left:][:height, :width]


def fit_square(picture, size, crop):
    """Makes any picture a square of the given side.

    Args:
        picture: uint8 (H, W, 3).
        size: side in pixels.
        crop: "center" cuts off what is over on the longer side, "pad" adds black on the
            shorter, "stretch" distorts.

    Returns:
        uint8 (size, size, 3).
    """
    height, width = picture.shape[:2]
    if crop == "center":
        side = min(height, width)
        picture = cut_middle(picture, side, side)
    elif crop == "pad":
        scale = size / max(height, width)
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        resized = _resize(picture, *inner)
        picture = np.zeros((size, size, 3), np.uint8)
        left, top = (size - inner[0]) // 2, (size - inner[1]) // 2
        picture[top : top + inner[1], left : left + inner[0]] = resized
    return _resize(picture, size, size)


def _resize(picture, width, height):
    # Area averaging is the only OpenCV interpolation that does not alias when shrinking.
    shrinks = picture.shape[1] >= width and picture.shape[0] >= height
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(picture, (width, height), interpolation=interpolation)


def batches(samples, batch_size, seed, mirror, first_batch=0, replicas=None):
    """An endless `tf.data.Dataset` of training batches.

    Each epoch is a new random order, of which the last incomplete batch is left out. Order
    and mirroring are functions of the seed and the batch's number alone, which is why a
    resumed run sees exactly the batches that the uninterrupted one would have seen.

    Args:
        samples: uint8 pictures (N, S, S, C), an array or `StoredPictures`, or float32 points
            (N, 2) which stay as they are; N at least `batch_size`.
        batch_size: samples a batch.
        seed: of order and mirroring.
        mirror: whether half the pictures are flipped left to right.
        first_batch: number of the batch to begin with, 0 for a new run.
        replicas: a `tf.distribute.InputContext`, to get only the part of each batch that the
            replicas of one worker train on, a part each; None for all of it.

    Returns:
        A dataset of float32 (batch_size, S, S, C) in [-1, 1], or (batch_size, 2).
    """
    import tensorflow as tf  # here, so that reading pictures does not wait for it

    per_epoch = len(samples) // batch_size
    of_pictures = samples.ndim == 4
    parts, parts_here, first_part = 1, 1, 0
    if replicas:
        parts = replicas.num_replicas_in_sync
        parts_here = parts // replicas.num_input_pipelines
        first_part = parts_here * replicas.input_pipeline_id
    size = batch_size // parts
    mine = slice(first_part * size, (first_part + parts_here) * size)

    def order_of(epoch):
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(samples)), seed=tf.stack([tf.constant(seed, tf.int64), epoch])
        )
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size, drop_remainder=True)

    def batch_of(number, indices):
        # Not a constant of the graph, which would be a copy of all samples in memory.
        kind = tf.uint8 if of_pictures else tf.float32
        batch = tf.numpy_function(lambda chosen: samples[chosen], [indices[mine]], kind)
        batch.set_shape((parts_here * size, *samples.shape[1:]))
        if of_pictures:
            batch = tf.cast(batch, tf.float32) / 127.5 - 1
        if of_pictures and mirror:
            key = tf.stack([tf.constant(seed, tf.int64), number])
            flip = tf.random.stateless_uniform((batch_size, 1, 1, 1), key) < 0.5
            batch = tf.where(flip[mine], tf.reverse(batch, axis=[2]), batch)
        return batch

    orders = tf.data.Dataset.range(first_batch // per_epoch, tf.int64.max).flat_map(order_of)
    numbers = tf.data.Dataset.counter(first_batch)
    numbered = tf.data.Dataset.zip(numbers, orders.skip(first_batch % per_epoch))
    dataset = numbered.map(batch_of)
    if parts_here > 1:
        dataset = dataset.unbatch().batch(size, drop_remainder=True)
    return dataset.prefetch(2)
