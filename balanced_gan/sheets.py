"""Pictures out: from what a network makes to sheets and files."""

import warnings

import cv2
import numpy as np
from PIL import Image

_CAPTION_HEIGHT = 14  # pixels below a picture
_MOST_PIXELS = 2**26  # of the largest grid: 32 x 32 pictures of 256 x 256 pixels
_CAPTION_SCALE = 0.38  # of the font, 8 pixels high; smaller where the text is wider than that


def to_uint8(pictures):
    """Pictures in [-1, 1], as networks make them, as uint8; uint8 stays as it is."""
    if pictures.dtype == np.uint8:
        return pictures
    return np.uint8(np.rint(np.clip(pictures, -1, 1) * 127.5 + 127.5))


def sheet(pictures, columns):
    """Lays pictures out in rows of the given length; empty places are white.

    Args:
        pictures: uint8 (N, H, W, C).
        columns: pictures a row.

    Returns:
        uint8 (rows * H, columns * W, C).
    """
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    cells = np.full((rows * columns, height, width, channels), 255, np.uint8)
    cells[:count] = pictures
    cells = cells.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return cells.reshape(rows * height, columns * width, channels)


def captioned(pictures, captions):
    """Prints a line under each picture.

    Args:
        pictures: uint8 (N, S, S, C).
        captions: N short texts of ASCII.

    Returns:
        uint8 (N, S + 14, S, C).
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


def read_sheet(file):
    """A sheet that was written as PNG, as a Pillow picture in RGB.

    Args:
        file: a `pathlib.Path`, perhaps of a stranger's.

    Raises:
        OSError: if it is no PNG, damaged, or larger than any that we write.
    """
    try:
        with warnings.catch_warnings():
            # From 89 megapixels on; of its other warnings none is about the file.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # Of PNG alone: it starts another program for some formats.
            with Image.open(file, formats=["PNG"]) as picture:
                if picture.width * picture.height <= _MOST_PIXELS:
                    return picture.convert("RGB")
    except OSError:
        raise
    except Exception as error:  # Pillow raises a dozen kinds for damaged files
        raise OSError(f"{str(file)!r} cannot be read: {error}") from None
    raise OSError(f"{str(file)!r} is larger than any sheet")


def encode_png(picture):
    """The bytes of a PNG file.

    Args:
        picture: uint8 (H, W, 3) RGB or (H, W, 1) grey.
    """
    if picture.shape[2] == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", picture)[1].tobytes()
