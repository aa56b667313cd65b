"""From the bytes of a picture file to an upright picture in sRGB without alpha.

Pillow says what a file is; it decodes all formats but JPEG and deep pictures, which OpenCV decodes.
"""

import functools
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from balanced_gan.data.colour_profiles import profile_of, to_srgb
from balanced_gan.data.finding import MOST_MEGAPIXELS
from balanced_gan.errors import is_out_of_memory

_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF")
_TOO_LARGE = f"larger than {MOST_MEGAPIXELS} megapixels"
_END_OF_JPEG = b"\xff\xd9"
_USED_RANGE = 1 / 4  # of a deep picture's possible values; one that uses less is stretched
_BRANDS = {b"heic": "HEIF", b"heix": "HEIF", b"mif1": "HEIF", b"msf1": "HEIF", b"avif": "AVIF"}


class UnusablePictureError(ValueError):
    """A file cannot be used; the message says why, without its name."""


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Silences OpenCV and Pillow about bad files, which this program reports once, in one place."""
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            yield
    finally:
        cv2.utils.logging.setLogLevel(before)


def decode(data: bytes, image_size: float, reduce: bool = True) -> NDArray[np.uint8]:
    """Decodes a file of any format to a picture of 8 bits and three channels.

    Applies the EXIF orientation and the colour profile, composites alpha on white, takes the first
    frame, and converts grey, CMYK and deep pictures.

    Args:
        image_size: side in pixels that the picture will be shrunk to.
        reduce: whether a large JPEG may be decoded at a reduced scale.

    Returns:
        uint8 (H, W, 3) in OpenCV's order, blue first.

    Raises:
        UnusablePictureError: if it is not a picture, too large, or incomplete.
        MemoryError: if there is not enough memory for it now.
    """
    header = _read_header(data)
    if header and header.width * header.height > MOST_MEGAPIXELS * 1e6:
        raise UnusablePictureError(_TOO_LARGE)
    if header is None:  # such as floating-point TIFF, which OpenCV can read
        return _decode_deep(data, None)
    if header.format in ("JPEG", "MPO"):
        return _decode_jpeg(data, header, image_size, reduce)
    if header.mode[0] in "IF" or _is_deep(header):
        return _decode_deep(data, header)
    return _decode_with_pillow(header)


def _read_header(data: bytes) -> Image.Image | None:
    """A Pillow picture that is not decoded yet; None if Pillow does not know the file.

    Raises:
        UnusablePictureError: if it is certainly not a readable picture.
    """
    try:
        return Image.open(io.BytesIO(data), formats=known_formats())
    except Image.DecompressionBombError:
        raise UnusablePictureError(_TOO_LARGE) from None
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises a dozen kinds for damaged headers
        found = what_it_is(data)
        if found:
            raise UnusablePictureError(found) from None
        if not isinstance(error, Image.UnidentifiedImageError):  # a known format, but damaged
            raise UnusablePictureError("cut short or damaged") from None
        return None


def _is_deep(header: Image.Image) -> bool:
    """Whether colours have 16 bits, of which Pillow would keep eight. OpenCV has no CMYK."""
    return header.mode != "CMYK" and ";16" in str(getattr(header, "tile", [])[:1])


@functools.cache
def known_formats() -> tuple[str, ...]:
    """Those of `_FORMATS` that this Pillow reads, HEIC through pillow-heif."""
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def what_it_is(data: bytes) -> str | None:
    """Says what an unreadable file is; None if that is unknown."""
    brand = _BRANDS.get(data[8:12]) if data[4:8] == b"ftyp" else None
    if brand in known_formats():
        return "cut short or damaged"
    if brand == "HEIF":
        return "HEIC, an iPhone's format: python -m pip install pillow-heif"
    if brand == "AVIF":
        return "AVIF, which needs a newer Pillow: python -m pip install -U pillow"
    begins = data[:200].lstrip().lower()
    if begins.startswith((b"<!doctype html", b"<html")):
        return "a web page, not a picture"
    if begins.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the picture: run git lfs pull"
    return None


def _decode_jpeg(
    data: bytes, header: Image.Image, image_size: float, reduce: bool
) -> NDArray[np.uint8]:
    """By OpenCV, which applies the orientation, at a reduced scale where that is enough."""
    data = _with_end_mark(data)
    if header.mode == "CMYK" and profile_of(header):
        return _decode_with_pillow(header)
    flags = _reduced_flags(min(header.size), image_size) if reduce else cv2.IMREAD_COLOR
    return _in_srgb(np.asarray(_opencv(data, flags), np.uint8), header)


def _in_srgb(picture: NDArray[np.uint8], header: Image.Image) -> NDArray[np.uint8]:
    """A picture (H, W, 3) as OpenCV decodes it, with its profile's colours converted."""
    profile = profile_of(header)
    if not profile or header.mode not in ("RGB", "RGBA"):
        return picture
    in_srgb = to_srgb(Image.fromarray(picture[:, :, ::-1]), profile)
    return np.ascontiguousarray(np.asarray(in_srgb)[:, :, ::-1])


def _reduced_flags(shorter_side: int, image_size: float) -> int:
    """JPEG can be decoded at 1/2, 1/4 or 1/8 scale in a fraction of the time. At least twice the
    wanted size is kept for the area averaging: the result then differs from full decoding by
    0.3 levels of 255 (benchmarks/speed/loading.py)."""
    for factor, flags in (
        (8, cv2.IMREAD_REDUCED_COLOR_8),
        (4, cv2.IMREAD_REDUCED_COLOR_4),
        (2, cv2.IMREAD_REDUCED_COLOR_2),
    ):
        if shorter_side >= 2 * factor * image_size:
            return flags
    return cv2.IMREAD_COLOR


def _with_end_mark(data: bytes) -> bytes:
    """A JPEG file that has all its pixels; decoders silently fill in missing ones.

    A file with its end mark is whole. One without it is decoded twice, with different bytes
    appended. If pixels are missing, those bytes pass for pixels, and the two pictures differ.

    Raises:
        UnusablePictureError: if pixels are missing.
    """
    stored = data.rstrip(b"\0")  # a download may have been given its full length at once
    if stored.endswith(_END_OF_JPEG):
        return data
    first, second = (
        _opencv(stored + more * 2000 + _END_OF_JPEG, cv2.IMREAD_GRAYSCALE)
        for more in (b"\x12", b"\xa5")
    )
    if not np.array_equal(first, second):
        raise UnusablePictureError("cut short")
    return stored + _END_OF_JPEG


def _decode_deep(data: bytes, header: Image.Image | None) -> NDArray[np.uint8]:
    """By OpenCV as it is stored: pictures of 16 bits and more are scaled to 8."""
    picture = np.atleast_3d(_opencv(data, cv2.IMREAD_UNCHANGED))
    colours = picture[:, :, :3] if picture.shape[2] > 2 else picture[:, :, :1]
    if picture.dtype != np.uint8:
        colours = _to_8_bits(np.ascontiguousarray(colours))
    colours = np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3)))
    tags = getattr(header, "tag_v2", {})  # of a TIFF
    if tags.get(ExifTags.Base.PhotometricInterpretation) == 0:  # 0 is white
        colours = 255 - colours
    if header:
        colours = _in_srgb(colours, header)
    if picture.shape[2] == 4 and picture.dtype.kind in "iu":
        alpha = picture[:, :, 3:] * np.float32(1 / np.iinfo(picture.dtype).max)
        colours = np.rint(255 + (colours - np.float32(255)) * alpha).astype(np.uint8)
    if header and header.format != "TIFF":  # which OpenCV has turned
        return np.asarray(_turned(Image.fromarray(colours), header), np.uint8)
    return colours


def _to_8_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Values of any type in [0, 255]: of their type's range, or stretched if they use little of it,
    as 12 bits stored in 16 do. OpenCV needs a fifth of NumPy's memory and time for this.

    Raises:
        UnusablePictureError: if some are not finite.
    """
    lowest, highest = float(values.min()), float(values.max())
    if not np.isfinite([lowest, highest]).all():
        raise UnusablePictureError("a picture with NaN or infinite values")
    most = float(np.iinfo(values.dtype).max) if values.dtype.kind in "iu" else 1.0
    used, least = highest - lowest, 0.0
    if lowest < 0 or highest > most or 0 < used < _USED_RANGE * most:
        least, most = lowest, used or 1.0  # a flat picture out of range becomes black
        if values.dtype.itemsize > 2:  # OpenCV's 32 bits are too few to subtract afterwards
            values, least = values - least, 0.0
    scaled = cv2.convertScaleAbs(values, alpha=255 / most, beta=-least * 255 / most)
    return np.asarray(scaled, np.uint8).reshape(values.shape)


def _decode_with_pillow(picture: Image.Image) -> NDArray[np.uint8]:
    profile = profile_of(picture)
    try:
        picture.load()
    except Exception as error:  # Pillow raises a dozen kinds
        if is_out_of_memory(error):
            raise MemoryError from None
        cut = "truncated" in str(error).lower()
        raise UnusablePictureError("cut short" if cut else "damaged") from None
    picture = _turned(picture, picture)
    alpha = None
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
    if picture.mode not in ("RGB", "CMYK"):
        picture = picture.convert("RGB")
    picture = to_srgb(picture, profile) if profile else picture.convert("RGB")
    if alpha is not None:
        white = Image.new("RGB", picture.size, "white")
        picture = Image.composite(picture, white, alpha)
    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


def _turned(picture: Image.Image, header: Image.Image) -> Image.Image:
    """A picture turned as the EXIF orientation of its header says, if that can be read at all."""
    try:
        orientation = header.getexif().get(ExifTags.Base.Orientation, 1)
        picture.getexif()[ExifTags.Base.Orientation] = orientation
        return ImageOps.exif_transpose(picture)
    except MemoryError:
        raise
    except Exception:  # Pillow raises SyntaxError, struct.error and others
        return picture


def _opencv(data: bytes, flags: int) -> NDArray[Any]:
    """A picture as OpenCV decodes it.

    Raises:
        UnusablePictureError: if OpenCV cannot read it.
    """
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:  # such as dimensions beyond its limit
        if error.code == cv2.Error.STS_NO_MEM:
            raise MemoryError from None
        picture = None
    if picture is None:
        raise UnusablePictureError("not a picture that can be read")
    return np.asarray(picture)
