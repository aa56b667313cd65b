"""Which files below a folder are pictures to train on."""

import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from balanced_gan.errors import InputError

# In a picture file: more than nearly all cameras have; 360 MB decoded; 16 bits take 1.4 GB.
MOST_MEGAPIXELS = 120
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif"),
    *(".heic", ".heif"),
)
# Folders that other systems add: macOS's archives, the thumbnails of Synology's servers.
_COMPANIONS = ("__MACOSX", "@eaDir")
# Files by which this program knows its own folders: a run, and what generate, interpolate and
# explore make.
_OURS = (
    {"settings.json", "metadata.json"},
    {"scores.csv", "sheet.png"},
    {"interpolation.mp4", "strip.png"},
    {"picture-001.png", "picture-001.csv"},
)
FACES_FOUND = "faces_found.png"  # what --dry_run writes with --crop face

Skipped = list[tuple[str, str]]  # (path, reason) of what cannot be used


class Found(NamedTuple):
    """What is in a folder and its subfolders."""

    names: list[str]  # sorted paths of pictures, relative to the folder, with forward slashes
    left_out: Skipped  # folders, sorted


def find_images(root: Path, pattern: str | None = None) -> Found:
    """Finds everything in a folder and its subfolders that is named like a picture.

    Names that begin with a dot, and folders that other systems add, are skipped silently.

    Args:
        pattern: glob that the end of a file's path must match, such as `*F.png` or `front/*`;
            None for all.

    Returns:
        A `Found`. Its names include folders that are named like a picture, so that they are
        reported later.

    Raises:
        InputError: if the pattern is ".", which matches no file.
    """
    if pattern and not PurePosixPath(pattern).parts:
        raise InputError(f"pattern must match the end of a file's path. Received: {pattern!r}")
    names: list[str] = []
    left_out: Skipped = []

    def note(error: OSError) -> None:
        path = Path(error.filename).relative_to(root).as_posix()
        left_out.append((path, f"cannot be opened: {error.strerror}"))

    for folder, subfolders, files in os.walk(root, onerror=note):
        relative = Path(folder).relative_to(root)
        # Not the root: a user who names such a folder means it.
        if relative.parts and any(marks <= set(files) for marks in _OURS):
            left_out.append((relative.as_posix(), "made by this program"))
            subfolders.clear()
            continue
        subfolders[:] = [name for name in subfolders if not _is_companion(name)]
        for name in subfolders:
            if Path(folder, name).is_symlink():
                left_out.append(((relative / name).as_posix(), "a link to a folder, not followed"))
        for name in subfolders + files:
            path = (relative / name).as_posix()
            matches = not pattern or PurePosixPath(root.name, path).match(pattern)
            if name.lower().endswith(SUFFIXES) and not _is_companion(name) and matches:
                names.append(path)
    return Found(sorted(names), sorted(left_out))


def _is_companion(name: str) -> bool:
    return name.startswith(".") or name in (*_COMPANIONS, FACES_FOUND)
