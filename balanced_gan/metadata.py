"""What a run was made with and how long it took: metadata.json."""

import os
import platform
import re
from contextlib import suppress
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless")


def machine():
    """Processor, cores, system and versions, without names of hosts or people.

    Returns:
        A dict of strings and numbers.
    """
    processor, instructions = platform.processor() or platform.machine(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        text = cpuinfo.read_text()
        named = re.search(r"model name\s*: (.*)", text)
        processor = named[1] if named else processor
        # The best of these decides which precision is fast.
        known = [f for f in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if f" {f}" in text]
        instructions = known[0] if known else ""
    return {
        "processor": processor,
        "instructions": instructions,
        "cores": os.cpu_count(),
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
