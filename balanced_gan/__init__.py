"""Train a GAN on a folder of your own pictures, on a laptop's CPU.

As a library, to be imported before TensorFlow, so that oneDNN is on:

>>> from balanced_gan import BalancedGAN, build_discriminator, build_generator
"""

import importlib
import os
import sys

MOST_MEGAPIXELS = 120  # of a picture file: more than nearly any camera has; 360 MB when decoded
# OpenCV reads this when it is loaded: the second line of defence behind decoding.is_too_large.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_MEGAPIXELS * 10**6))

# On Linux TensorFlow leaves oneDNN off on processors without AVX512-VNNI, AVX512-BF16, AVX-VNNI or
# AMX, as in most laptops. A training step then takes 1.5 times as long (benchmarks/README.md).
# TensorFlow reads this once, when it is imported.
if "tensorflow" not in sys.modules:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

_HOMES = {
    "BalancedGAN": "gan",
    "InputError": "errors",
    "Settings": "settings",
    "build_discriminator": "networks",
    "build_generator": "networks",
    "draw_faces": "drawn_faces",
    "whose_turn": "balance",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    # On first use, because TensorFlow takes seconds to import and `--help` needs none of it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
