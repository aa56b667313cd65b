"""Train a GAN on a folder of your own pictures, on a laptop's CPU.

As a library, import it before TensorFlow, so that oneDNN is on:

>>> from balanced_gan import BalancedGAN, build_discriminator, build_generator
"""

import importlib
import os
import sys
from typing import Any

# On Linux, TensorFlow leaves oneDNN off on processors without AVX512-VNNI, AVX512-BF16, AVX-VNNI or
# AMX, which means most laptops. A training step then takes 1.41 times as long
# (benchmarks/README.md). TensorFlow reads this variable once, when it is imported.
if "tensorflow" not in sys.modules:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"  # the only place that says it; pyproject.toml reads it here

_HOMES = {
    "BalancedGAN": "model.gan",
    "InputError": "errors",
    "Settings": "settings",
    "build_discriminator": "model.networks",
    "build_generator": "model.networks",
    "draw_faces": "data.drawn_faces",
    "whose_turn": "balance",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    # Imported on first use: TensorFlow takes seconds, and `--help` does not need it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
