"""Whether the samples are those that a run was trained on before."""

import zlib
from typing import Any

import numpy as np


def fingerprint(samples: Any) -> dict[str, int]:
    """What metadata.json keeps of the samples (see `output.kinds`) of a session."""
    checksum = 0
    for first in range(0, len(samples), 1000):  # not all at once: they may be on the disk
        part = np.ascontiguousarray(samples[first : first + 1000])
        checksum = zlib.crc32(part.data, checksum)
    return {"samples": len(samples), "samples_crc32": checksum}


def what_changed(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    """A sentence about samples that are not those of the last session; None if they are.

    Args:
        before: the last session in metadata.json; one of a former version says nothing of samples.
        now: this session, with its `fingerprint`.
    """
    count = before.get("samples")
    if not isinstance(count, int) or before.get("samples_crc32") == now["samples_crc32"]:
        return None
    more = now["samples"] - count
    if more == 0:
        return "some pictures are not the same as last time"
    plural = "" if abs(more) == 1 else "s"
    return f"{abs(more)} {'more' if more > 0 else 'fewer'} picture{plural} than last time"
