"""Which files below a folder are pictures to train on."""

import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
# What systems lay beside pictures: macOS's archives, the thumbnails of Synology's servers.
_COMPANIONS = ("__MACOSX", "@eaDir")
# What a folder that this program wrote has: a run, and what --TYPE generate makes.
_OURS = ({"settings.json", "metadata.json"}, {"scores.csv", "sheet.png"})


class Found(NamedTuple):
    """What lies below a folder."""

    names: list  # sorted paths of pictures, relative to the folder, with forward slashes
    left_out: list  # sorted (path, reason) of folders


def find_pictures(root, pattern=None):
    """Finds what is named like a picture below a folder.

    Names that begin with a dot and the companions of pictures are passed over in silence.

    Args:
        root: a `pathlib.Path`.
        pattern: glob that the end of a file's path must match, `*F.png` or `front/*`; None for
            all.

    Returns:
        A `Found`. Folders named like a picture are in its names, so that they are reported rather
        than passed over.
    """
    names, left_out = [], []

    def note(error):
        path = Path(error.filename).relative_to(root).as_posix()
        left_out.append((path, f"cannot be opened: {error.strerror}"))

    for folder, subfolders, files in os.walk(root, onerror=note):
        relative = Path(folder).relative_to(root)
        # Whoever names such a folder itself means it.
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


def _is_companion(name):
    return name.startswith(".") or name in _COMPANIONS
