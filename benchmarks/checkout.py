"""Every benchmark imports this first. It finds the package in this checkout, installed or not, and
imports it before TensorFlow, as the program does, so that oneDNN is on."""

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
sys.path.insert(1, str(PROJECT))

import balanced_gan  # noqa: E402, F401
