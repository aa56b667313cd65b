"""Chooses the networks that a new run begins with, by name or from its pictures."""

from typing import Any

import cv2
import numpy as np

from balanced_gan.errors import InputError
from balanced_gan.evaluation.features import OUTLINES, shape_and_colour
from balanced_gan.evaluation.metrics import kernel_distance
from balanced_gan.model.build import build_networks
from balanced_gan.model.start import COMPARED, Start, arrays_of, load_shipped
from balanced_gan.output.images import resized_rgb
from balanced_gan.output.sampling import load_network
from balanced_gan.runs.registry import find_run
from balanced_gan.settings import STARTS, Settings

# By how much the drawn scenes must be nearer. Where both are about as far, the start of portraits
# teaches more: drawn houses, 1.05 times as far from it, get a KID of 0.37 instead of 0.47.
_NEARER = 1.15


def find_start(settings: Settings, samples: Any) -> Start | None:
    """The start that the settings ask for, or None to start from scratch.

    Raises:
        InputError: as `load_start`, or if the networks are not "light".
    """
    if settings.start == "scratch" or (settings.start == "auto" and settings.networks != "light"):
        return None
    if settings.networks != "light":
        raise InputError(
            f"Only the networks 'light' can use a start. Received: start={settings.start!r}, "
            f"networks={settings.networks!r}"
        )
    return choose_start(samples) if settings.start == "auto" else load_start(settings.start)


def load_start(name: str) -> Start:
    """Loads a start that comes with this package, or a run's newest networks.

    Args:
        name: one of `settings.STARTS`, or a run as in `find_run`.

    Raises:
        InputError: if there is no such run, its networks are not "light", or a file is damaged.
    """
    if name in STARTS:
        return load_shipped(name)
    try:
        run = find_run(name)
    except InputError as error:
        known = ", ".join(("auto", "scratch", *STARTS))
        raise InputError(
            f"start must be {known} or a run. Received: start={name!r}. {error}"
        ) from None
    settings = run.settings()
    if settings.networks != "light":
        raise InputError(
            f"Only a run with the networks 'light' can be a start. Received: start={name!r}, whose "
            f"networks are {settings.networks!r}"
        )
    # Their layers say what stage they are of, which those of the files do not.
    generator, discriminator = build_networks(settings)
    generator.set_weights(load_network(run, run.generator_file).get_weights())
    discriminator.set_weights(load_network(run, run.discriminator_file).get_weights())
    return Start(name, arrays_of(generator, discriminator))


def choose_start(pictures: Any) -> Start:
    """Chooses the shipped start whose own pictures have outlines most similar to those of training
    pictures, uint8 (N, S, S, C); `portraits` in a near tie.

    Colours are not compared, because networks learn them quickly. With colours, photographs of
    people got the start `neutral`, and the results were twice as far from them after 12,800
    pictures (benchmarks/ablations.md).
    """
    some = resized_rgb(pictures[:COMPARED], 64, cv2.INTER_AREA)
    found = shape_and_colour(some)[:, :OUTLINES]
    if len(found) == 1:  # the distance needs pairs
        found = np.repeat(found, 2, 0)
    starts = {name: load_shipped(name) for name in STARTS}
    distances = {
        name: kernel_distance(start.arrays["outlines"], found) for name, start in starts.items()
    }
    distances["neutral"] *= _NEARER
    return starts[min(distances, key=distances.__getitem__)]
