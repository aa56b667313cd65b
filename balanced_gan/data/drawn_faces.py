"""The built-in pictures: faces drawn with OpenCV from random factors.

With them, everything can be tried without a folder of pictures. Because every factor is known
(skin, hair, glasses, ...), it is easy to see which of them a generator has learned.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_Canvas = NDArray[np.uint8]  # (256, 256, 3)
_Colour = tuple[int, ...]  # red, green, blue
_Random = np.random.Generator

COUNT = 400  # as many as the reference experiment has portraits
_CANVAS = 256  # drawn large and averaged down, for smooth edges

# Red, green and blue in hexadecimal.
_SKIN = ["ffe0c4", "f1c29b", "e0ac7d", "be825a", "8d5534", "623c28"]
_HAIR = ["191414", "462d1e", "784b28", "c8a05a", "aa4623", "aaaaac"]
_EYES = ["4b321e", "3c5f8c", "50734b", "69553c"]
_WALL = ["96b9cd", "cdbea5", "788c7d", "555f82", "d7d7d2", "a06e69"]
_CLOTHES = ["282d46", "78282d", "e6e6e1", "3c5a46", "5a5a5f", "c8963c"]


def draw_faces(
    image_size: int, channels: int, count: int = COUNT, seed: int = 0
) -> NDArray[np.uint8]:
    """Draws faces that differ in skin, hair, eyes, mouth, glasses, clothes, pose and background.

    Args:
        image_size: side in pixels.
        channels: 3 for RGB, 1 for grey.
        seed: the same seed draws the same faces; face i does not depend on `count`.

    Returns:
        uint8 (count, image_size, image_size, channels).
    """
    faces = []
    for number in range(count):
        large = _draw_face(np.random.default_rng((seed, number)))
        face = cv2.resize(large, (image_size, image_size), interpolation=cv2.INTER_AREA)
        if channels == 1:
            face = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
        faces.append(np.asarray(face, np.uint8).reshape(image_size, image_size, channels))
    return np.stack(faces)


def _draw_face(random: _Random) -> _Canvas:
    """One RGB face on a canvas of 256x256, from back to front."""
    skin, hair, eyes, wall, clothes = (
        _near(palette, random) for palette in (_SKIN, _HAIR, _EYES, _WALL, _CLOTHES)
    )
    x, y = (int(v) for v in random.integers((114, 118), (143, 135)))  # centre of the head
    half_width, half_height = (int(v) for v in random.integers((50, 68), (64, 82)))
    long_hair = random.random() < 0.4
    turn = int(random.integers(-10, 11))  # the features move sideways as the head turns

    canvas = _background(wall, random)
    if long_hair:
        _ellipse(canvas, (x, y + 18), (half_width + 20, half_height + 22), hair)
    _ellipse(canvas, (x, 292), (104 + int(random.integers(-10, 11)), 92), clothes)
    neck = half_width // 2
    cv2.rectangle(canvas, (x - neck, y + 30), (x + neck, y + half_height + 30), _darker(skin), -1)
    _ellipse(canvas, (x, y + half_height + 30), (neck, neck // 2), _darker(skin))
    for side in (-1, 1):
        _ellipse(canvas, (x + side * half_width, y + 4), (9, 16), _darker(skin))
    if random.random() < 0.85:  # hair above and behind the head
        top = int(random.integers(8, 18))
        _ellipse(canvas, (x, y - 16), (half_width + 8, half_height - 4 + top), hair)
    _ellipse(canvas, (x, y), (half_width, half_height), skin)
    fringe = int(random.integers(4))  # parted left, not at all, or right; or a bald head
    if fringe < 3:
        lean = (fringe - 1) * 18
        centre = (x + lean, y - half_height + 14)
        cv2.ellipse(canvas, centre, (half_width - 6, 24), lean // 2, 0, 360, hair, -1, cv2.LINE_AA)
    _eyes(canvas, x + turn, y - 8, eyes, hair, random)
    cv2.ellipse(canvas, (x + turn, y + 18), (9, 12), 0, 20, 160, _darker(skin), 4, cv2.LINE_AA)
    _mouth(canvas, x + turn, y + 44, random)
    if random.random() < 0.2:  # the shadow of a beard leaves the mouth free
        cv2.ellipse(
            canvas, (x + turn, y + 30), (half_width - 14, 44), 0, 25, 155, hair, 14, cv2.LINE_AA
        )
    light = np.linspace(random.uniform(0.82, 1.0), random.uniform(0.9, 1.1), _CANVAS)
    lit = canvas * light[None, :, None] + random.normal(0, 3, canvas.shape)
    return np.clip(lit, 0, 255).astype(np.uint8)


def _background(wall: _Colour, random: _Random) -> _Canvas:
    """A wall that is darker towards the bottom."""
    shade = np.linspace(random.uniform(1.0, 1.2), random.uniform(0.7, 1.0), _CANVAS)
    colours = np.multiply.outer(shade, np.full((_CANVAS, 3), wall))
    canvas: _Canvas = np.clip(colours, 0, 255).astype(np.uint8)
    return canvas


def _eyes(canvas: _Canvas, x: int, y: int, iris: _Colour, brow: _Colour, random: _Random) -> None:
    """Two eyes with brows, and glasses on every fourth face."""
    apart, open_by = (int(v) for v in random.integers((22, 6), (28, 10)))
    brow_lift = int(random.integers(16, 24))
    glasses = random.random() < 0.25
    for side in (-1, 1):
        centre = (x + side * apart, y)
        _ellipse(canvas, centre, (13, open_by), (245, 245, 242))
        cv2.circle(canvas, centre, min(7, open_by), iris, -1, cv2.LINE_AA)
        cv2.circle(canvas, centre, 3, (15, 15, 15), -1, cv2.LINE_AA)
        cv2.ellipse(canvas, centre, (14, open_by + 1), 0, 180, 360, (60, 40, 35), 3, cv2.LINE_AA)
        inner = (x + side * (apart - 12), y - brow_lift)
        outer = (x + side * (apart + 15), y - brow_lift + 3)
        cv2.line(canvas, inner, outer, brow, 6, cv2.LINE_AA)
        if glasses:
            cv2.circle(canvas, centre, 20, (30, 30, 35), 4, cv2.LINE_AA)
    if glasses:
        cv2.line(canvas, (x - apart + 20, y), (x + apart - 20, y), (30, 30, 35), 4, cv2.LINE_AA)


def _mouth(canvas: _Canvas, x: int, y: int, random: _Random) -> None:
    """A smile, a straight mouth or an open one."""
    lips = (178, 80, 80)
    half = int(random.integers(17, 27))
    mood = random.random()
    if mood < 0.3:
        cv2.line(canvas, (x - half, y), (x + half, y), lips, 7, cv2.LINE_AA)
    elif mood < 0.75:
        cv2.ellipse(canvas, (x, y - 8), (half, 16), 0, 15, 165, lips, 7, cv2.LINE_AA)
    else:
        cv2.ellipse(canvas, (x, y - 4), (half, 17), 0, 0, 180, lips, -1, cv2.LINE_AA)
        cv2.rectangle(canvas, (x - half + 6, y - 3), (x + half - 6, y + 3), (248, 246, 240), -1)


def _ellipse(
    canvas: _Canvas, centre: tuple[int, int], axes: tuple[int, int], colour: _Colour
) -> None:
    cv2.ellipse(canvas, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)


def _near(palette: Sequence[str], random: _Random) -> _Colour:
    """A colour close to one of the palette."""
    chosen = bytes.fromhex(palette[int(random.integers(len(palette)))])
    colour = np.array([*chosen]) + random.normal(0, 8) + random.normal(0, 3, 3)
    return tuple(int(value) for value in np.clip(colour, 0, 255))


def _darker(colour: _Colour) -> _Colour:
    return tuple(int(value * 0.85) for value in colour)
