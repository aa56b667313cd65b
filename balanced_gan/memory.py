"""Memory that goes back to the system once it is free, where the C library is glibc."""

import ctypes
import os
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # mallopt's names of what it sets
_NOT_GLIBC = (AttributeError, TypeError, OSError)


def take_from_c_library():
    """Makes TensorFlow take its memory from the C library. To be called before it is imported.

    Its own pool for oneDNN gives nothing back, and grows when what is free in it does not fit:
    the reference run by 1 to 8 % in an hour (benchmarks/README.md). Where `give_back` cannot
    work nothing is changed.
    """
    with suppress(*_NOT_GLIBC):
        mallopt = ctypes.CDLL(None).mallopt
        # Or the system would be asked for large blocks on every batch, which takes 13 % longer.
        mallopt(_MMAP_THRESHOLD, 32 * 2**20)  # bytes; the most it takes
        mallopt(_TRIM_THRESHOLD, 2**30)
        mallopt(_ARENA_MAX, 1)  # no part of it for each thread
        os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")


def give_back():
    """Gives memory that is free back to the system: the C library keeps it where any thread once
    needed it, some 50 MB after an evaluation."""
    with suppress(*_NOT_GLIBC):
        ctypes.CDLL(None).malloc_trim(0)
