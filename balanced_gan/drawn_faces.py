"""The built-in pictures: faces drawn with OpenCV from random factors.

They let everything be tried without a folder of one's own, and because every factor is
known (skin, hair, glasses, ...) one sees at once which of them a generator has learnt.
"""

import cv2
import numpy as np

COUNT = 400  # as many as the reference experiment has portraits
_CANVAS = 256  # drawn large and averaged down, for smooth edges

_SKIN = [
    (255, 224, 196),
    (241, 194, 155),
    (224, 172, 125),
    (190, 130, 90),
    (141, 85, 52),
    (98, 60, 40),
]
_HAIR = [(25, 20, 20), (70, 45, 30), (120, 75, 40), (200, 160, 90), (170, 70, 35), (170, 170, 172)]
_EYES = [(75, 50, 30), (60, 95, 140), (80, 115, 75), (105, 85, 60)]
_WALL = [
    (150, 185, 205),
    (205, 190, 165),
    (120, 140, 125),
    (85, 95, 130),
    (215, 215, 210),
    (160, 110, 105),
]
_CLOTHES = [
    (40, 45, 70),
    (120, 40, 45),
    (230, 230, 225),
    (60, 90, 70),
    (90, 90, 95),
    (200, 150, 60),
]


def draw_faces(image_size, channels, count=COUNT, seed=0):
    """Draws faces that differ in skin, hair, eyes, mouth, glasses, clothes, pose and background.

    Args:
        image_size: side in pixels.
        channels: 3 for RGB, 1 for grey.
        count: how many.
        seed: the same seed draws the same faces; face i does not depend on `count`.

    Returns:
        uint8 (count, image_size, image_size, channels).
    """
    faces = []
    for number in range(count):
        face = _draw_face(np.random.default_rng((seed, number)))
        face = cv2.resize(face, (image_size, image_size), interpolation=cv2.INTER_AREA)
        if channels == 1:
            face = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
        faces.append(face.reshape(image_size, image_size, channels))
    return np.stack(faces)


def _draw_face(random):
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
    _fringe(canvas, x, y, half_width, half_height, hair, random)
    _eyes(canvas, x + turn, y - 8, eyes, hair, random)
    cv2.ellipse(canvas, (x + turn, y + 18), (9, 12), 0, 20, 160, _darker(skin), 4, cv2.LINE_AA)
    _mouth(canvas, x + turn, y + 44, random)
    if random.random() < 0.2:  # a beard's shadow keeps the mouth free
        cv2.ellipse(
            canvas, (x + turn, y + 30), (half_width - 14, 44), 0, 25, 155, hair, 14, cv2.LINE_AA
        )
    light = np.linspace(random.uniform(0.82, 1.0), random.uniform(0.9, 1.1), _CANVAS)
    lit = canvas * light[None, :, None] + random.normal(0, 3, canvas.shape)
    return np.uint8(np.clip(lit, 0, 255))


def _background(wall, random):
    """A wall that grows darker downwards."""
    shade = np.linspace(random.uniform(1.0, 1.2), random.uniform(0.7, 1.0), _CANVAS)
    return np.uint8(np.clip(np.multiply.outer(shade, np.full((_CANVAS, 3), wall)), 0, 255))


def _fringe(canvas, x, y, half_width, half_height, hair, random):
    """Hair over the forehead, parted left, right, or not at all; or a bald head."""
    style = int(random.integers(4))
    if style == 3:
        return
    lean = (style - 1) * 18
    centre = (x + lean, y - half_height + 14)
    cv2.ellipse(canvas, centre, (half_width - 6, 24), lean // 2, 0, 360, hair, -1, cv2.LINE_AA)


def _eyes(canvas, x, y, iris, brow, random):
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
        inner, outer = (
            (x + side * (apart - 12), y - brow_lift),
            (x + side * (apart + 15), y - brow_lift + 3),
        )
        cv2.line(canvas, inner, outer, brow, 6, cv2.LINE_AA)
        if glasses:
            cv2.circle(canvas, centre, 20, (30, 30, 35), 4, cv2.LINE_AA)
    if glasses:
        cv2.line(canvas, (x - apart + 20, y), (x + apart - 20, y), (30, 30, 35), 4, cv2.LINE_AA)


def _mouth(canvas, x, y, random):
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


def _ellipse(canvas, centre, axes, colour):
    cv2.ellipse(canvas, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)


def _near(palette, random):
    """A colour of the palette, a little changed."""
    colour = (
        np.array(palette[random.integers(len(palette))])
        + random.normal(0, 8)
        + random.normal(0, 3, 3)
    )
    return tuple(int(value) for value in np.clip(colour, 0, 255))


def _darker(colour):
    return tuple(int(value * 0.85) for value in colour)
