"""Finds the colour profile in a picture file, and converts its colours to sRGB."""

import functools
import io
from typing import Any

from PIL import Image, ImageChops, ImageCms

# Red, green, blue, three greys and a skin colour.
_PROBED = bytes(
    [230, 30, 30, 30, 230, 30, 30, 30, 230, *3 * [40], *3 * [128], *3 * [220], 200, 130, 100]
)
_SEEN = 3  # levels of 255; profiles of sRGB by different makers differ by less


def profile_of(header: Image.Image) -> bytes | None:
    """The colour profile embedded in a file, unless its colours are sRGB already."""
    profile = header.info.get("icc_profile")
    return profile if profile and _is_not_srgb(profile) else None


@functools.lru_cache(maxsize=64)
def _is_not_srgb(profile: bytes) -> bool:
    """Whether a profile's colours are other than sRGB; False if it is damaged.

    Its name does not tell: Android calls Display P3 "sRGB Transfer with DCI-P3 Gamut".
    """
    try:
        transform = _transform(profile, "RGB")
    except (OSError, TypeError, ValueError):
        return False
    if transform is None:  # for grey pictures, or for print
        return True
    colours = Image.frombytes("RGB", (len(_PROBED) // 3, 1), _PROBED)
    changed = ImageChops.difference(transform.apply(colours), colours)
    return max(changed.tobytes()) > _SEEN


@functools.lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> Any:
    """From a profile's colours to sRGB; None if it is not for pictures of this mode."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    try:
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except ImageCms.PyCMSError:
        return None


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """A picture with its colours converted from a profile's, as RGB."""
    transform = _transform(profile, picture.mode)
    return transform.apply(picture) if transform else picture.convert("RGB")
