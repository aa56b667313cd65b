"""Finds faces in ordinary snapshots, and cuts them out upright.

Uses the two frontal cascades and the eye cascade that come with OpenCV (Viola and Jones 2001).
"""

from itertools import combinations
from pathlib import Path
from threading import local
from typing import Any

import cv2
import cv2.data
import numpy as np
from numpy.typing import NDArray

SEARCH_SIDE = 640  # pixels on the longer side, at which a picture is searched for faces
_STEP = 1.1  # ratio between two face sizes that are tried
# Overlapping finds that make a face, for each cascade. With fewer, leaves and clouds become faces.
_NEIGHBOURS = {"frontalface_alt2": 3, "frontalface_default": 8}
_TILTS = (0, 20, -20)  # degrees by which the picture is turned until a face is found
_MOST_ROLL = 25  # most degrees that remain then; beyond it, the finds were not two eyes
_EYES_SIDE = 256  # pixels, at which a face is searched for eyes
_thread = local()  # two threads must not use a cascade at the same time

_Picture = NDArray[np.uint8]


def cut_faces(
    picture: NDArray[np.uint8], size: int, border: float, smallest: float, most: int
) -> list[NDArray[np.uint8]]:
    """The faces of a picture, upright, the largest first.

    Args:
        picture: uint8 (H, W, 3).
        size: side of the results in pixels.
        border: what to keep around a face, as a share of its side.
        smallest: see `find_faces`.
        most: the most faces to cut out.

    Returns:
        A list of uint8 (size, size, 3).
    """
    found = find_faces(picture, smallest)[:most]
    return [_cut(picture, centre, side, roll, size, border) for centre, side, roll in found]


def find_faces(
    picture: NDArray[np.uint8], smallest: float
) -> list[tuple[tuple[float, float], float, float]]:
    """Finds the faces of a picture, the largest first.

    Args:
        picture: uint8 (H, W, 3).
        smallest: side of the smallest face to find, as a share of the picture's shorter side.

    Returns:
        A list of `((x, y), side, roll)`: centre and side in pixels, and the tilt of the line
        between the eyes in degrees.
    """
    scale = min(1.0, SEARCH_SIDE / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = _uint8(cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)))
    least = max(24, round(smallest * min(grey.shape)))
    middle = grey.shape[1] / 2, grey.shape[0] / 2
    for tilt in _TILTS:
        turn = cv2.getRotationMatrix2D(middle, tilt, 1.0)
        size = (grey.shape[1], grey.shape[0])
        upright = _uint8(cv2.warpAffine(grey, turn, size)) if tilt else grey
        back = cv2.invertAffineTransform(turn)
        found = []
        for left, top, side in _boxes(upright, least):
            x, y = back @ np.array((left + side / 2, top + side / 2, 1.0)) / scale
            roll = tilt + _roll(upright, left, top, side)
            found.append(((float(x), float(y)), side / scale, roll))
        if found:
            return found
    return []


def _boxes(grey: _Picture, least: int) -> list[list[int]]:
    """`(left, top, side)` of the faces that are nearly upright, the largest first."""
    found: list[Any] = []
    for name, neighbours in _NEIGHBOURS.items():
        boxes = _cascade(name).detectMultiScale(grey, _STEP, neighbours, minSize=(least, least))
        found += [box for box in boxes if not any(_overlap(box, old) for old in found)]
    return sorted(([int(x) for x in box[:3]] for box in found), key=lambda box: -box[2])


def _cut(
    picture: _Picture,
    centre: tuple[float, float],
    side: float,
    roll: float,
    size: int,
    border: float,
) -> _Picture:
    reach = side * (1 + 2 * border)
    # To four times the size, then twice, then averaged: a warp alone aliases when it shrinks.
    scale = 4 * size / reach
    if scale < 1:
        # Only what a tilted square may reach.
        left, top = (max(0, int(place - reach)) for place in centre)
        right, bottom = (int(place + reach) for place in centre)
        near = picture[top:bottom, left:right]
        picture = _uint8(cv2.resize(near, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        centre, reach = ((centre[0] - left) * scale, (centre[1] - top) * scale), 4 * size
    turn = cv2.getRotationMatrix2D(centre, roll, 2 * size / reach)
    turn[:, 2] += size - np.array(centre)
    # Outside the picture its edge continues, which avoids black corners.
    large = cv2.warpAffine(
        picture, turn, (2 * size, 2 * size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return _uint8(cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA))


def _roll(grey: _Picture, left: int, top: int, side: int) -> float:
    """Tilt of the line between the eyes in degrees; 0 unless two eyes are found."""
    face = cv2.resize(grey[top : top + side, left : left + side], (_EYES_SIDE, _EYES_SIDE))
    least = _EYES_SIDE // 10
    upper = face[: _EYES_SIDE * 6 // 10]
    eyes = _cascade("eye").detectMultiScale(upper, 1.05, 4, minSize=(least, least))
    best, roll = 0.0, 0.0
    for one, other in combinations(eyes, 2):
        (x1, y1, w1), (x2, y2, w2) = sorted(
            (x + w / 2, y + w / 2, w) for x, y, w, _ in (one, other)
        )
        tilt = float(np.degrees(np.arctan2(y2 - y1, x2 - x1)))
        apart = (x2 - x1) / _EYES_SIDE
        # Two eyes have about the same size and are a good third of the face apart. Nostrils and
        # brows are not.
        alike = min(w1, w2) / max(w1, w2)
        fits = 0.25 < apart < 0.6 and abs(tilt) <= _MOST_ROLL and x1 < _EYES_SIDE / 2 < x2
        if fits and alike > best:
            best, roll = alike, tilt
    return roll


def _overlap(a: Any, b: Any) -> bool:
    """Whether the centre of one box lies in the other."""

    def within(one: Any, other: Any) -> bool:
        x, y = one[0] + one[2] / 2, one[1] + one[3] / 2
        left, top, width, height = other
        return bool(left < x < left + width and top < y < top + height)

    return within(a, b) or within(b, a)


def _cascade(name: str) -> cv2.CascadeClassifier:
    cascades: dict[str, cv2.CascadeClassifier] = _thread.__dict__.setdefault("cascades", {})
    if name not in cascades:
        # Read here: on Windows OpenCV cannot open a path with letters such as an umlaut.
        text = Path(cv2.data.haarcascades, f"haarcascade_{name}.xml").read_text(encoding="utf-8")
        storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        cascades[name] = cv2.CascadeClassifier()
        cascades[name].read(storage.getFirstTopLevelNode())
    return cascades[name]


def _uint8(picture: Any) -> _Picture:
    """OpenCV's stubs do not know that 8 bits in give 8 bits out."""
    return np.asarray(picture, np.uint8)
