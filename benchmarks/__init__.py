"""Benchmarks, started from the project's folder: `python -m benchmarks.quality.reference`."""

import os

import balanced_gan  # noqa: F401 (before TensorFlow, as the program does, so that oneDNN is on)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
