"""Sheets of pictures, and picture files."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_CAPTION_HEIGHT = 14  # pixels below a picture
_MOST_PIXELS = 2**26  # of the largest grid: 32 x 32 pictures of 256 x 256 pixels
_CAPTION_SCALE = 0.38  # of the font: 8 pixels high; smaller if the text would be too wide


def in_batches(
    function: Callable[[NDArray[Any]], Any], rows: NDArray[Any], size: int = 8
) -> NDArray[Any]:
    """Calls a function on at most `size` rows of (N, ...) at a time, and joins what it returns.

    A network that is called keeps the results of all its layers in memory: with batches of 64,
    training took 200 MiB more. `predict` would have to compile before the first batch.
    """
    return np.concatenate(
        [function(rows[first : first + size]) for first in range(0, len(rows), size)]
    )


def to_uint8(pictures: NDArray[Any]) -> NDArray[np.uint8]:
    """Converts pictures from [-1, 1], as networks make them; uint8 is returned unchanged."""
    if pictures.dtype == np.uint8:
        return pictures.astype(np.uint8, copy=False)
    return np.asarray(np.rint(np.clip(pictures, -1, 1) * 127.5 + 127.5), np.uint8)


def resized_rgb(
    pictures: NDArray[np.uint8], side: int, interpolation: int = cv2.INTER_CUBIC
) -> NDArray[np.uint8]:
    """Resizes pictures for a network that takes one size and three channels.

    Args:
        pictures: (N, S, S, C), C is 1 or 3.
        side: of the result, in pixels.
        interpolation: one of OpenCV's.

    Returns:
        (N, side, side, 3); grey pictures are the same in all three channels.
    """
    resized = [cv2.resize(some, (side, side), interpolation=interpolation) for some in pictures]
    stacked = np.stack(resized).reshape(len(resized), side, side, -1)
    return np.broadcast_to(stacked, (*stacked.shape[:3], 3)).astype(np.uint8, copy=False)


def sheet(pictures: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Lays pictures out in rows of the given length; empty places are white.

    Args:
        pictures: (N, H, W, C).

    Returns:
        (rows * H, columns * W, C).
    """
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    cells = np.full((rows * columns, height, width, channels), 255, np.uint8)
    cells[:count] = pictures
    cells = cells.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return cells.reshape(rows * height, columns * width, channels)


def captioned(pictures: NDArray[np.uint8], captions: Sequence[str]) -> NDArray[np.uint8]:
    """Prints a line of text under each picture.

    Args:
        pictures: (N, S, S, C).
        captions: N short ASCII texts.

    Returns:
        (N, S + 14, S, C).
    """
    size = pictures.shape[1]
    strips = np.full((len(pictures), _CAPTION_HEIGHT, size, 3), 255, np.uint8)
    for strip, text in zip(strips, captions, strict=True):
        (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)
        scale = min(_CAPTION_SCALE, (size - 2) / width)
        left = int(size - scale * width) // 2
        foot = left, _CAPTION_HEIGHT - 4
        cv2.putText(strip, text, foot, cv2.FONT_HERSHEY_SIMPLEX, scale, 0, 1, cv2.LINE_AA)
    return np.concatenate([pictures, strips[..., : pictures.shape[3]]], axis=1)


def read_sheet(file: Path) -> Image.Image:
    """Reads a sheet that was written as PNG, in RGB. The file may be untrusted.

    Raises:
        OSError: if the file is not a PNG, is damaged, or is larger than any sheet.
    """
    try:
        with warnings.catch_warnings():
            # Raised from 89 megapixels on. Pillow's other warnings are not about the file.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # PNG only: for some formats Pillow starts another program.
            with Image.open(file, formats=["PNG"]) as picture:
                if picture.width * picture.height <= _MOST_PIXELS:
                    return picture.convert("RGB")
    except (OSError, MemoryError):
        raise
    except Exception as error:  # Pillow raises a dozen kinds for damaged files
        raise OSError(f"{str(file)!r} cannot be read: {error}") from None
    raise OSError(f"{str(file)!r} is larger than any sheet")


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """Encodes a picture, (H, W, 3) RGB or (H, W, 1) grey, as a PNG file."""
    return cv2.imencode(".png", picture[..., ::-1])[1].tobytes()  # OpenCV writes BGR
