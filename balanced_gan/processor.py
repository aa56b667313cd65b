"""What this processor can do, and whether TensorFlow uses it."""

import os
import platform
import re
from contextlib import suppress
from pathlib import Path

from archspec.cpu import detect

# Best first, in archspec's and Linux's names: the best one decides how fast it trains.
_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "avx512f", "avx_ne_convert", "avx2", "bf16", "asimd")
# oneDNN computes bfloat16 with these. Without them it is emulated, 20 times slower than float32.
_FOR_BFLOAT16 = {"amx_bf16", "avx512_bf16", "avx_ne_convert", "bf16"}


def name() -> str:
    """The processor's brand name, such as "AMD Ryzen 5 5500U", or its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = re.search(r"model name\s*: (.*)", cpuinfo.read_text())
        if named:
            return named[1]
    return platform.processor() or platform.machine()


def instructions() -> str:
    """The best instruction set that it has, such as "avx2"; "" if unknown."""
    features = _features()
    return next((best for best in _INSTRUCTIONS if best in features), "")


def may_have_bfloat16() -> bool:
    """Whether bfloat16 may be faster than float32; False only if it certainly is not."""
    features = _features()
    return not features or not features.isdisjoint(_FOR_BFLOAT16)


def lacks_avx() -> bool:
    """Whether it certainly has no AVX, without which TensorFlow ends the process."""
    features = _features()
    return "sse2" in features and "avx" not in features


def onednn() -> str:
    """Whether TensorFlow uses oneDNN: "on", "off", or "" if unknown. Imports TensorFlow."""
    with suppress(ImportError):  # TensorFlow has no public way to ask
        from tensorflow.python.util import _pywrap_util_port

        return "on" if _pywrap_util_port.IsMklEnabled() else "off"
    return ""


def describe() -> str:
    """The processor in words: name, cores, instructions, and whether oneDNN is on."""
    facts = [f"{os.cpu_count()} cores", instructions(), f"oneDNN {onednn()}" if onednn() else ""]
    return ", ".join([name(), *filter(None, facts)])


def _features() -> set[str]:
    """Linux's names of its instructions; empty if the system does not report them."""
    return set(detect.detected_info().features)
