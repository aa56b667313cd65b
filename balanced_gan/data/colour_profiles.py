"""Colour profiles embedded in picture files, and from their colours to sRGB."""

import functools
import io
from typing import Any

from PIL import Image, ImageCms


def profile_of(header: Image.Image) -> bytes | None:
    """The colour profile embedded in a file, unless its colours are sRGB already."""
    profile = header.info.get("icc_profile")
    return profile if profile and _space_of(profile) not in (None, "sRGB") else None


@functools.lru_cache(maxsize=64)
def _space_of(profile: bytes) -> str | None:
    """The colours of a profile: "sRGB", another name, or None if it is damaged."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(opened).strip()
    except (ImageCms.PyCMSError, OSError):
        return None
    return "sRGB" if "srgb" in name.lower() else name or "another"


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
    if transform is None:
        return picture.convert("RGB")
    converted = ImageCms.applyTransform(picture, transform)
    return picture.convert("RGB") if converted is None else converted
