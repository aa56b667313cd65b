"""Finds the colour profile in a picture file, and converts its colours to sRGB."""

import functools
import io
from typing import Any

from PIL import Image, ImageCms


def profile_of(header: Image.Image) -> bytes | None:
    """The colour profile embedded in a file, unless its colours are sRGB already."""
    profile = header.info.get("icc_profile")
    return profile if profile and _is_not_srgb(profile) else None


@functools.lru_cache(maxsize=64)
def _is_not_srgb(profile: bytes) -> bool:
    """Whether a profile's colours are other than sRGB; False if it is damaged."""
    try:
        return "srgb" not in ImageCms.getProfileDescription(io.BytesIO(profile)).lower()
    except ImageCms.PyCMSError:
        return False


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
