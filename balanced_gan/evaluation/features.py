"""Features: rows of numbers that are close together for pictures that look alike."""

import socket
from collections.abc import Callable

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from balanced_gan.errors import InputError, is_out_of_memory
from balanced_gan.output.images import in_batches, resized_rgb

_SIZE = 64  # side in pixels to which every picture is resized
_COLOURS = 8  # side of the small picture that represents the colours
# Gradients of 8x8 cells, blocks of 2x2 cells, 9 directions (Dalal & Triggs 2005).
_GRADIENTS = cv2.HOGDescriptor((_SIZE, _SIZE), (16, 16), (8, 8), (8, 8), 9)
OUTLINES = 1764  # features that describe the outlines; they come first
_INCEPTION_SIZE = 299
_AT_ONCE = 32  # pictures per batch of InceptionV3

Extractor = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # (N, S, S, C) -> (N, F)


def shape_and_colour(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Computes features that need no trained weights: oriented gradients and colours.

    They compare pictures of one kind with the same framing, such as faces. Two pictures are
    close if they have the same outlines and colours in the same places; the same object from
    another angle is not. Both halves carry the same weight: between portraits, their median
    squared distances are equal.

    Args:
        pictures: (N, S, S, C), C is 1 or 3.

    Returns:
        (N, 1764 + 64 C).
    """
    outlines, colours = [], []
    for picture in pictures:
        resized = cv2.resize(picture, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)
        outlines.append(np.asarray(_GRADIENTS.compute(resized), np.float32).ravel())
        small = cv2.resize(resized, (_COLOURS, _COLOURS), interpolation=cv2.INTER_AREA)
        colours.append(small.ravel().astype(np.float32) / 127.5 - 1)
    gradients, palette = np.stack(outlines), np.stack(colours)
    count = gradients.shape[1] + palette.shape[1]
    # The gradients of a picture always have length 7, one for each block.
    gradients *= np.sqrt(count / 2) / 7
    # 0.27 gives both halves the same weight (between the portraits of the reference experiment).
    palette *= np.sqrt(count / 2 / palette.shape[1] / 0.27)
    return np.concatenate([gradients, palette], axis=1)


def inception(weights: str) -> Extractor:
    """Loads InceptionV3, trained on ImageNet, for the features of FID and KID.

    The network and its weights are those of Keras. Metrics differ a little from those of the
    TensorFlow 1 network that papers use.

    Args:
        weights: an .h5 file of the network without its top, or "download" for Keras's own, from
            its cache or a public server (about 88 MB).

    Returns:
        A function of pictures (N, S, S, C) that returns features (N, 2048).

    Raises:
        InputError: if the weights cannot be loaded.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(10)  # seconds; else a download without a network may hang
    try:
        network = keras.applications.InceptionV3(
            include_top=False,
            weights="imagenet" if weights == "download" else weights,
            input_shape=(_INCEPTION_SIZE, _INCEPTION_SIZE, 3),
            pooling="avg",
        )
    except Exception as error:  # Keras raises a dozen kinds
        if is_out_of_memory(error):
            raise
        source = "Keras's download" if weights == "download" else f"the file {weights!r}"
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"No InceptionV3 weights from {source}: {reason}") from None
    finally:
        socket.setdefaulttimeout(before)

    def features(some: NDArray[np.uint8]) -> NDArray[np.float32]:
        resized = resized_rgb(some, _INCEPTION_SIZE)
        return network.predict_on_batch(resized.astype(np.float32) / 127.5 - 1)

    return lambda pictures: in_batches(features, pictures, _AT_ONCE)
