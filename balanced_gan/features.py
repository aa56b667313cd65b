"""Pictures -> rows of numbers in which alike pictures lie near one another."""

import socket

import cv2
import numpy as np

from balanced_gan.errors import InputError

_SIZE = 64  # that every picture is brought to, in pixels
_COLOURS = 8  # side of the small picture that stands for the colours
# Gradients of 8x8 cells, blocks of 2x2 cells, 9 directions (Dalal & Triggs 2005).
_GRADIENTS = cv2.HOGDescriptor((_SIZE, _SIZE), (16, 16), (8, 8), (8, 8), 9)
OUTLINES = 1764  # numbers of those, which come first
_INCEPTION_SIZE = 299
_AT_ONCE = 32  # pictures that InceptionV3 looks at in one batch


def shape_and_colour(pictures):
    """Features that need no trained weights: histograms of oriented gradients, and colours.

    Made for comparing pictures of one kind that are framed alike, such as faces. What has the
    same outlines and colours in the same places is near; what a person would recognise from
    another angle is not. Both halves count alike: between
    portraits their median squared distances are the same.

    Args:
        pictures: uint8 (N, S, S, C), C 1 or 3.

    Returns:
        float32 (N, 1764 + 64 C).
    """
    rows = []
    for picture in pictures:
        picture = cv2.resize(picture, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)
        gradients = _GRADIENTS.compute(picture).ravel()
        small = cv2.resize(picture, (_COLOURS, _COLOURS), interpolation=cv2.INTER_AREA)
        colours = small.ravel().astype(np.float32) / 127.5 - 1
        rows.append((gradients, colours))
    gradients, colours = (np.stack(column) for column in zip(*rows, strict=True))
    count = gradients.shape[1] + colours.shape[1]
    # The length of a picture's gradients is always 7, one for each block.
    gradients *= np.sqrt(count / 2) / 7
    # 0.27 makes the halves count alike (between the portraits of the reference experiment).
    colours *= np.sqrt(count / 2 / colours.shape[1] / 0.27)
    return np.concatenate([gradients, colours], axis=1)


def inception(weights):
    """Features by InceptionV3, which learned on ImageNet; those of FID and KID.

    The network and its weights are Keras's: figures differ a little from those of the
    TensorFlow 1 network in which papers measure.

    Args:
        weights: a .h5 file of the network without its top; or "download" for Keras's own, from
            its cache or a public server (about 88 MB).

    Returns:
        A function, uint8 (N, S, S, C) -> float32 (N, 2048).

    Raises:
        InputError: if the weights cannot be had.
    """
    import keras

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
        source = "Keras's download" if weights == "download" else f"the file {weights!r}"
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"No InceptionV3 weights from {source}: {reason}") from None
    finally:
        socket.setdefaulttimeout(before)

    def features(pictures):
        rows = []
        for first in range(0, len(pictures), _AT_ONCE):
            some = [
                cv2.resize(
                    picture, (_INCEPTION_SIZE, _INCEPTION_SIZE), interpolation=cv2.INTER_CUBIC
                )
                for picture in pictures[first : first + _AT_ONCE]
            ]
            some = np.stack(some).reshape(len(some), _INCEPTION_SIZE, _INCEPTION_SIZE, -1)
            some = np.broadcast_to(some, (*some.shape[:3], 3))  # grey in all three channels
            rows.append(network.predict_on_batch(some.astype(np.float32) / 127.5 - 1))
        return np.concatenate(rows)

    return features
