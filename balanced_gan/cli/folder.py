"""The folder that --path names, as people type it."""

import os
from pathlib import Path

from balanced_gan.errors import InputError

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def folder_of(text):
    """The folder that a user means.

    Args:
        text: what came after --path; `~` stands for the home folder, even where no shell has
            replaced it, as in `--path=~/faces`.

    Returns:
        An absolute path, a string. Whether the folder exists is checked when it is read.

    Raises:
        InputError: if it is empty, holds a quotation mark, or is a file.
    """
    if not text.strip():
        raise InputError("--path is empty, as when a shell variable is not set. Name a folder.")
    if '"' in text and not Path(text).exists():
        # Windows takes the backslash of --path "C:\my faces\" as part of the mark.
        raise InputError(
            f"--path has a quotation mark inside: {text!r}. Type the folder without a backslash "
            "before the closing mark."
        )
    path = Path(os.path.expanduser(text))  # which, unlike Path's, takes ~nobody as it is
    if path.is_file() and path.suffix.lower() in _ARCHIVES:
        raise InputError(f"--path {text} is an archive. Unpack it and name that folder.")
    if path.is_file():
        raise InputError(f"--path {text} is a file. Name its folder: --path {path.parent}")
    return os.path.realpath(path)  # unlike Path.resolve, it takes a loop of links
