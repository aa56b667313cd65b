"""Bytes of a picture file -> an upright picture without alpha: what is odd about formats."""

import io
import warnings

import cv2
import numpy as np
from PIL import Image

from balanced_gan import MOST_MEGAPIXELS

# Bad files are named by us, once, and not by OpenCV in between.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
warnings.filterwarnings("ignore", module="PIL")


def decode(data, image_size, reduce=True):
    """A picture of 8 bits and three channels from a file of any format.

    EXIF orientation is honoured, alpha composited on white, grey, 16-bit and CMYK pictures
    converted.

    Args:
        data: bytes of the file.
        image_size: side in pixels that the picture will be shrunk to.
        reduce: whether a large JPEG may come at reduced scale.

    Returns:
        uint8 (H, W, 3) in OpenCV's order, blue first; None if it cannot be read.
    """
    buffer = np.frombuffer(data, np.uint8)
    flags = cv2.IMREAD_COLOR
    try:
        if reduce and data.startswith(b"\xff\xd8"):
            flags = _reduced_flags(min(_scan_jpeg(data)[:2]), image_size)
        elif _may_have_alpha(data):
            unchanged = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
            if _has_alpha(unchanged):
                # libtiff multiplies 8-bit colours by alpha on its own.
                return _on_white(unchanged, data[:2] in (b"II", b"MM") and unchanged.itemsize == 1)
        picture = cv2.imdecode(buffer, flags)
    except cv2.error:  # such as dimensions past OpenCV's limit
        return None
    return picture


def _reduced_flags(shorter_side, image_size):
    """JPEG can be decoded at 1/2, 1/4 or 1/8 for a fraction of the time. Twice the size that
    is wanted is left for the area averaging: the result then differs from full decoding by
    0.3 levels of 255 (benchmarks/loading.py)."""
    for factor, flags in (
        (8, cv2.IMREAD_REDUCED_COLOR_8),
        (4, cv2.IMREAD_REDUCED_COLOR_4),
        (2, cv2.IMREAD_REDUCED_COLOR_2),
    ):
        if shorter_side >= 2 * factor * image_size:
            return flags
    return cv2.IMREAD_COLOR


def _may_have_alpha(data):
    """PNG, WebP and TIFF can; a CMYK TIFF has four channels of another kind."""
    if data[:4] in (b"II*\0", b"MM\0*"):
        return not _is_cmyk_tiff(data)
    return data.startswith(b"\x89PNG") or data[8:12] == b"WEBP"


def _is_cmyk_tiff(data):
    """Whether the tag PhotometricInterpretation (262) of the first page says 5, separated."""
    order = "little" if data[:2] == b"II" else "big"

    def number(at, length):
        return int.from_bytes(data[at : at + length], order)

    first = number(4, 4)
    entries = (first + 2 + 12 * i for i in range(number(first, 2)))
    return any(number(at, 2) == 262 and number(at + 8, 2) == 5 for at in entries)


def _has_alpha(picture):
    """Whether a decoded picture (or None) has a fourth channel, of whole numbers."""
    four = picture is not None and picture.ndim == 3 and picture.shape[2] == 4
    return four and picture.dtype in (np.uint8, np.uint16)


def _on_white(picture, premultiplied):
    """Composites blue-green-red-alpha, 8 or 16 bits, on white."""
    most = np.iinfo(picture.dtype).max
    alpha = picture[:, :, 3:].astype(np.float32) / most
    colour = picture[:, :, :3].astype(np.float32) * (255 / most)
    colour = colour if premultiplied else colour * alpha
    return np.uint8(np.rint(colour + 255 * (1 - alpha)))


def is_too_large(data):
    """Whether the header promises more than `MOST_MEGAPIXELS`.

    A file of a few kilobytes can unpack to gigabytes, so this is asked before decoding.

    Args:
        data: bytes of the file.
    """
    if data.startswith(b"\xff\xd8"):
        width, height, _ = _scan_jpeg(data)
    else:
        try:
            width, height = Image.open(io.BytesIO(data)).size
        except Image.DecompressionBombError:
            return True
        except Exception:  # not for Pillow; what OpenCV says about it counts
            return False
    return width * height > MOST_MEGAPIXELS * 1e6


def is_cut_short(data):
    """Whether the end of the file is missing.

    OpenCV decodes such files to pictures with a grey rest, and says so only on the
    terminal, so each format's own mark of the end is looked for here.

    Args:
        data: bytes of the file; formats without such a mark are never cut short.
    """
    if data.startswith(b"\xff\xd8"):
        return not _scan_jpeg(data)[2]
    if data.startswith(b"\x89PNG"):
        return not _is_whole_png(data)
    if data[:4] == b"RIFF":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if data[:2] == b"BM":
        return int.from_bytes(data[2:6], "little") > len(data)
    return False


def _is_whole_png(data):
    """Whether the chunks of a PNG file lead to its end mark.

    OpenCV believes a chunk that claims to be longer than the file: 2 GiB of memory and 12 s for a
    file of 4 KB (benchmarks/torture.py).
    """
    at = 8
    while at + 12 <= len(data):
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return False


def _scan_jpeg(data):
    """`(width, height, whole)` of a JPEG file, from its markers.

    Walks the segments up to the first scan, because embedded thumbnails have markers too;
    within a scan 0xFF is always followed by 0, so the end mark there is the real one.
    """
    width = height = 0
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            width = int.from_bytes(data[at + 7 : at + 9], "big")
        if marker == 0xDA:  # start of scan
            return width, height, data.find(b"\xff\xd9", at) >= 0
        if marker == 0xFF:  # fill byte
            at += 1
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return width, height, False
