"""Does a picture show a face? OpenCV's two frontal cascades, which must agree."""

import cv2
import numpy as np

from balanced_gan.output.images import read_sheet

_CASCADES = [
    cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_{name}.xml")
    for name in ("default", "alt")
]


def has_face(picture):
    """Whether both cascades find a face in a picture of three channels, enlarged to 192x192."""
    enlarged = cv2.resize(picture, (192, 192), interpolation=cv2.INTER_CUBIC)
    grey = cv2.cvtColor(enlarged, cv2.COLOR_RGB2GRAY)
    return all(
        len(cascade.detectMultiScale(grey, 1.1, 3, minSize=(80, 80))) for cascade in _CASCADES
    )


def share_with_face(pictures):
    """Share of pictures, uint8 (N, S, S, 3), with a face."""
    return float(np.mean([has_face(picture) for picture in pictures]))


def share_on_grid(file, size):
    """Share of a grid's pictures, `size` pixels each, with a face."""
    sheet = np.asarray(read_sheet(file).convert("RGB"))
    split = sheet.reshape(sheet.shape[0] // size, size, -1, size, 3).swapaxes(1, 2)
    return share_with_face(split.reshape(-1, size, size, 3))
