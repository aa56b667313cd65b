"""What a run was made with and how long it took: metadata.json."""

import platform
from contextlib import suppress
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version

from balanced_gan import processor

_PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless")


def machine():
    """Processor, cores, system and versions, without names of hosts or people.

    Returns:
        A dict of strings and numbers.
    """
    return {
        "processor": processor.name(),
        "instructions": processor.instructions(),
        "onednn": processor.onednn(),
        "cores": processor.cores(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
    }


def _version(package):
    """None where another package does its work, such as tensorflow-cpu."""
    with suppress(PackageNotFoundError):
        return version(package)


def now():
    """The time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
