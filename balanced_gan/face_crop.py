"""Finds faces in ordinary snapshots, and cuts them out upright.

With the two frontal cascades and the eye cascade that come with OpenCV (Viola and Jones 2001).
"""

from itertools import combinations
from threading import local

import cv2
import numpy as np

SEARCH_SIDE = 640  # pixels of the longer side in which faces are looked for
_STEP = 1.1  # between the sizes that are looked for
# Overlapping finds that make a face, of each cascade: fewer give faces of leaves and clouds.
_NEIGHBOURS = {"frontalface_alt2": 3, "frontalface_default": 8}
_TILTS = (0, 20, -20)  # degrees by which the picture is turned, until there is a face
_MOST_ROLL = 25  # degrees that are left then; beyond it, the two eyes were not two eyes
_EYES_SIDE = 256  # pixels of a face in which eyes are looked for
_thread = local()  # a cascade must not be used by two threads at once


def cut_faces(picture, size, margin, smallest, most):
    """The faces of a picture, upright, the largest first.

    Args:
        picture: uint8 (H, W, 3).
        size: side of the results in pixels.
        margin: how much more than the face to keep on each side, as a share of its side.
        smallest: see `find_faces`.
        most: how many at most.

    Returns:
        A list of uint8 (size, size, 3).
    """
    return [_cut(picture, *face, size, margin) for face in find_faces(picture, smallest)[:most]]


def find_faces(picture, smallest):
    """Where the faces of a picture are, the largest first.

    Args:
        picture: uint8 (H, W, 3).
        smallest: side of the smallest face that counts, as a share of the picture's shorter
            side.

    Returns:
        A list of `((x, y), side, roll)`: middle and side in pixels, and how many degrees the
        line between the eyes is tilted.
    """
    scale = min(1.0, SEARCH_SIDE / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))
    least = max(24, round(smallest * min(grey.shape)))
    middle = grey.shape[1] / 2, grey.shape[0] / 2
    for tilt in _TILTS:
        turn = cv2.getRotationMatrix2D(middle, tilt, 1.0)
        upright = cv2.warpAffine(grey, turn, grey.shape[::-1]) if tilt else grey
        back = cv2.invertAffineTransform(turn)
        found = []
        for left, top, side in _boxes(upright, least):
            centre = back @ (left + side / 2, top + side / 2, 1.0) / scale
            roll = tilt + _roll(upright, left, top, side)
            found.append((tuple(map(float, centre)), side / scale, roll))
        if found:
            return found
    return []


def _boxes(grey, least):
    """`(left, top, side)` of the faces that are nearly upright, the largest first."""
    found = []
    for name, neighbours in _NEIGHBOURS.items():
        boxes = _cascade(name).detectMultiScale(grey, _STEP, neighbours, minSize=(least, least))
        found += [box for box in boxes if not any(_overlap(box, old) for old in found)]
    return sorted(([int(x) for x in box[:3]] for box in found), key=lambda box: -box[2])


def _cut(picture, centre, side, roll, size, margin):
    reach = side * (1 + 2 * margin)
    # Twice the size and then averaged: a warp on its own aliases when shrinking.
    turn = cv2.getRotationMatrix2D(centre, roll, 2 * size / reach)
    turn[:, 2] += size - np.array(centre)
    # What lies outside the picture continues its edge, rather than black corners.
    large = cv2.warpAffine(
        picture, turn, (2 * size, 2 * size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA)


def _roll(grey, left, top, side):
    """Degrees by which the line between the eyes is tilted; 0 where two eyes are not found."""
    face = cv2.resize(grey[top : top + side, left : left + side], (_EYES_SIDE, _EYES_SIDE))
    least = _EYES_SIDE // 10
    upper = face[: _EYES_SIDE * 6 // 10]
    eyes = _cascade("eye").detectMultiScale(upper, 1.05, 4, minSize=(least, least))
    best, roll = 0, 0.0
    for one, other in combinations(eyes, 2):
        (x1, y1, w1), (x2, y2, w2) = sorted(
            (x + w / 2, y + w / 2, w) for x, y, w, _ in (one, other)
        )
        tilt = float(np.degrees(np.arctan2(y2 - y1, x2 - x1)))
        apart = (x2 - x1) / _EYES_SIDE
        # Two eyes are alike and a good third of the face apart; nostrils and brows are not.
        alike = min(w1, w2) / max(w1, w2)
        fits = 0.25 < apart < 0.6 and abs(tilt) <= _MOST_ROLL and x1 < _EYES_SIDE / 2 < x2
        if fits and alike > best:
            best, roll = alike, tilt
    return roll


def _overlap(a, b):
    """Whether the centre of one box lies in the other."""

    def within(one, other):
        x, y = one[0] + one[2] / 2, one[1] + one[3] / 2
        return other[0] < x < other[0] + other[2] and other[1] < y < other[1] + other[3]

    return within(a, b) or within(b, a)


def _cascade(name):
    cascades = _thread.__dict__.setdefault("cascades", {})
    if name not in cascades:
        file = f"{cv2.data.haarcascades}haarcascade_{name}.xml"
        cascades[name] = cv2.CascadeClassifier(file)
    return cascades[name]
