"""What this processor can do, and whether TensorFlow makes use of it."""

import os
import platform
import re
from contextlib import suppress
from pathlib import Path

from archspec.cpu import detect

# The most that a processor can do decides how fast it trains; archspec's and Linux's names.
_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "avx512f", "avx_ne_convert", "avx2", "bf16", "asimd")
# oneDNN computes in bfloat16 with these. Without them it is emulated: 20 times as slow as float32.
_FOR_BFLOAT16 = {"amx_bf16", "avx512_bf16", "avx_ne_convert", "bf16"}


def name() -> str:
    """The processor's name as it is sold, such as "AMD Ryzen 5 5500U", or its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = re.search(r"model name\s*: (.*)", cpuinfo.read_text())
        if named:
            return named[1]
    return platform.processor() or platform.machine()


def cores() -> int | None:
    """How many cores the system shows."""
    return os.cpu_count()


def instructions() -> str:
    """The best set of instructions that it has, such as "avx2"; "" if it is not known."""
    features = _features()
    return next((best for best in _INSTRUCTIONS if best in features), "")


def may_have_bfloat16() -> bool:
    """Whether it may compute faster in bfloat16 than in float32; False only where that is sure."""
    features = _features()
    return not features or not features.isdisjoint(_FOR_BFLOAT16)


def onednn() -> str:
    """Whether TensorFlow uses oneDNN: "on" or "off", "" if it does not say. Imports TensorFlow.

    Importing `balanced_gan` before TensorFlow switches it on, unless the environment says
    TF_ENABLE_ONEDNN_OPTS=0.
    """
    with suppress(ImportError):  # TensorFlow has no public way to ask
        from tensorflow.python.util import _pywrap_util_port

        return "on" if _pywrap_util_port.IsMklEnabled() else "off"
    return ""


def describe() -> str:
    """The processor in words: name, cores, instructions, and whether oneDNN is on."""
    facts = [f"{cores()} cores", instructions(), f"oneDNN {onednn()}" if onednn() else ""]
    return ", ".join([name(), *filter(None, facts)])


def _features() -> set[str]:
    """Linux's names of its instructions; empty where the system does not say."""
    return set(detect.detected_info().features)
