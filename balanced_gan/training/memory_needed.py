"""How much memory training takes, from the sizes of its networks."""

import math

import keras

from balanced_gan import memory
from balanced_gan.errors import InputError
from balanced_gan.model.build import build_networks
from balanced_gan.settings import Settings

# Fitted to benchmarks/speed/memory.py. TensorFlow and the other libraries:
_BASE_MIB = 900
# Numbers for each weight: itself, its gradient, Adam's two, EMA, and copies for a checkpoint.
_PER_WEIGHT = 7.9
# Numbers for each activation of a forward pass, for the backward pass and in between.
_PER_ACTIVATION = 0.8
# Numbers for each value of a picture that is augmented: its changes, forward and backward.
_PER_PICTURE_VALUE = 39
_NUMBER = 4 / 2**20  # MiB of a float32


def mebibytes_needed(settings: Settings, batch_size: int) -> float:
    """The peak memory of training, in MiB, within 7 % on the jobs of benchmarks/speed/memory.py."""
    generator, discriminator = build_networks(settings)
    weights = generator.count_params() + discriminator.count_params()
    # The discriminator sees real and generated pictures.
    activations = _activations(generator) + 2 * _activations(discriminator)
    values = math.prod(discriminator.input_shape[1:]) if settings.augmentation else 0
    a_sample = _PER_ACTIVATION * activations + _PER_PICTURE_VALUE * values
    numbers = _PER_WEIGHT * weights + a_sample * batch_size
    return _BASE_MIB + _NUMBER * numbers


def refuse_too_large(settings: Settings, batch_size: int) -> None:
    """Checks that training fits into memory, before the system ends the process without a word.

    Raises:
        InputError: if it cannot fit; the message names the options that help.
    """
    needed, there = mebibytes_needed(settings, batch_size), memory.limit() / 2**20
    if needed > there:
        raise InputError(
            f"This training would need about {needed / 1024:.1f} GiB of memory, but only "
            f"{there / 1024:.1f} GiB is available. A smaller --batch_size, --width or "
            f"--image_size helps. Received: a batch size of {batch_size}"
        )


def _activations(network: keras.Model) -> int:
    """Numbers that all layers of a network put out for one sample."""
    return sum(math.prod(layer.output.shape[1:]) for layer in network.layers)
