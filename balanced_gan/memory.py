"""How much memory there is, and returning it where the C library is glibc."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # parameters of mallopt
_GROUPS, _OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_NOT_GLIBC = (AttributeError, TypeError, OSError)


def take_from_c_library() -> None:
    """Makes TensorFlow take its memory from the C library. Call it before importing TensorFlow.

    TensorFlow's own pool for oneDNN never returns memory, and grows when no free block fits: the
    reference run grew by 1 to 8 % in an hour. Where `give_back` cannot work, nothing changes.
    """
    with suppress(*_NOT_GLIBC):
        mallopt = ctypes.CDLL(None).mallopt
        # Otherwise large blocks come from the system on every batch, which takes 13 % longer.
        mallopt(_MMAP_THRESHOLD, 32 * 2**20)  # bytes; the largest value allowed
        mallopt(_TRIM_THRESHOLD, 2**30)
        mallopt(_ARENA_MAX, 1)  # no separate arena per thread
        os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")


def limit() -> int:
    """The bytes that this process may use: the least of machine, container and its own limit."""
    import psutil  # here, so that `--help` does not wait for it

    found = [psutil.virtual_memory().total]
    with suppress(ImportError):  # on Windows
        import resource

        own, _ = resource.getrlimit(resource.RLIMIT_AS)
        found += [own] if own != resource.RLIM_INFINITY else []
    for file in _limits_of_groups():
        with suppress(OSError, ValueError):  # another system, or "max"
            found.append(int(file.read_text()))
    return min(found)


def _limits_of_groups() -> Iterator[Path]:
    """Files that may limit this process: those of a container, of Slurm or of systemd."""
    lines = ["0::/", "0:memory:/"]
    with suppress(OSError):
        lines += _OWN_GROUPS.read_text().splitlines()
    for line in lines:
        _, controllers, own = line.split(":", 2)
        if not controllers or "memory" in controllers.split(","):  # version 2, or version 1
            root = _GROUPS / "memory" if controllers else _GROUPS
            name = "memory.limit_in_bytes" if controllers else "memory.max"
            for depth in range(len(Path(own).parts)):
                yield root.joinpath(*Path(own).parts[1 : depth + 1], name)


def give_back() -> None:
    """Returns free memory to the system. The C library would keep what any thread once needed,
    about 50 MB after an evaluation."""
    with suppress(*_NOT_GLIBC):
        ctypes.CDLL(None).malloc_trim(0)
