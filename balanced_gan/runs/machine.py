"""The machine and the versions that a run was made with, for metadata.json."""

import os
import platform
from contextlib import suppress
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from balanced_gan import __version__, processor

_PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless")


def machine() -> dict[str, Any]:
    """Processor, cores, system and versions, without the names of hosts or people."""
    return {
        "processor": processor.name(),
        "instructions": processor.instructions(),
        "onednn": processor.onednn(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "balanced_gan": __version__,
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
    }


def _version(package: str) -> str | None:
    """None if another package takes its place, such as tensorflow-cpu."""
    with suppress(PackageNotFoundError):
        return version(package)
    return None


def now() -> str:
    """The time in UTC, to the second, in ISO format."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
