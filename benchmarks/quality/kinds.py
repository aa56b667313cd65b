"""Kinds of pictures that are drawn here: flowers and houses in colour, letters in grey.

`minutes.py`, `ablations.py` and `reference.py` train on them, beside real pictures: the recipe was
tuned on portraits, and these show what it does elsewhere.
"""

import cv2
import numpy as np

CANVAS = 256  # drawn large and averaged down


def flower(random):
    """A flower from above: 4 to 12 petals of one colour on a lawn."""
    lawn = np.array([random.integers(30, 90), random.integers(90, 160), random.integers(20, 80)])
    canvas = np.uint8(np.clip(lawn + random.normal(0, 14, (CANVAS, CANVAS, 1)), 0, 255))
    petals, length = int(random.integers(4, 13)), int(random.integers(60, 100))
    width = int(random.integers(14, 34))
    x, y = (int(v) for v in random.integers(108, 149, 2))
    hue = int(random.choice([0, 8, 25, 125, 150, 165])) + int(random.integers(0, 8))
    colour = cv2.cvtColor(np.uint8([[[hue, random.integers(120, 256), 240]]]), cv2.COLOR_HSV2RGB)
    colour = tuple(int(v) for v in colour[0, 0])
    first = random.uniform(0, 360)
    for petal in range(petals):
        angle = first + 360 * petal / petals
        middle = (
            int(x + length * 0.55 * np.cos(np.radians(angle))),
            int(y + length * 0.55 * np.sin(np.radians(angle))),
        )
        cv2.ellipse(canvas, middle, (length // 2, width), angle, 0, 360, colour, -1, cv2.LINE_AA)
        dark = tuple(int(0.8 * v) for v in colour)
        cv2.ellipse(canvas, middle, (length // 2, width), angle, 0, 360, dark, 2, cv2.LINE_AA)
    heart = (90, 60, 30) if random.random() < 0.5 else (240, 200, 60)
    cv2.circle(canvas, (x, y), int(random.integers(14, 28)), heart, -1, cv2.LINE_AA)
    return canvas


def house(random):
    """A house with a roof, windows and a door under a sky, by day or by night."""
    night = random.random() < 0.3
    sky = np.array([20, 25, 60]) if night else np.array([130, 180, 230])
    fade = np.linspace(0, 60, CANVAS)[:, None, None]
    canvas = np.uint8(np.clip(sky + fade + np.zeros((CANVAS, CANVAS, 1)), 0, 255))
    ground = int(random.integers(190, 220))
    canvas[ground:] = (30, 50, 30) if night else (90, 140, 70)
    left, right = int(random.integers(30, 70)), int(random.integers(186, 226))
    top = int(random.integers(100, 140))
    wall = np.array([(220, 210, 190), (180, 90, 70), (235, 235, 230), (150, 170, 190)])
    wall = wall[random.integers(4)] * (0.4 if night else 1.0)
    cv2.rectangle(canvas, (left, top), (right, ground), wall.tolist(), -1)
    peak = int(random.integers(30, 80))
    roof = np.array([[left - 14, top], [right + 14, top], [(left + right) // 2, peak]])
    tiles = np.array([(140, 50, 40), (70, 70, 80), (110, 80, 50)])[random.integers(3)]
    cv2.fillPoly(canvas, [roof], (tiles * (0.5 if night else 1.0)).tolist(), cv2.LINE_AA)
    glass = (250, 220, 120) if night else (90, 110, 130)
    columns = int(random.integers(2, 5))
    for column in range(columns):
        x = left + (right - left) * (2 * column + 1) // (2 * columns)
        cv2.rectangle(canvas, (x - 11, top + 16), (x + 11, top + 44), glass, -1)
    door = left + (right - left) * int(random.integers(1, 4)) // 4
    cv2.rectangle(canvas, (door - 12, ground - 44), (door + 12, ground), (80, 50, 30), -1)
    return canvas


def letter(random):
    """A grey capital on paper, in one of OpenCV's fonts, thin or thick, tilted."""
    paper, ink = int(random.integers(190, 250)), int(random.integers(10, 90))
    canvas = np.full((CANVAS, CANVAS), paper, np.uint8)
    font = int(random.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX,
                              cv2.FONT_HERSHEY_SCRIPT_COMPLEX]))  # fmt: skip
    text, thick = chr(65 + int(random.integers(26))), int(random.integers(6, 18))
    (width, height), _ = cv2.getTextSize(text, font, 6.5, thick)
    place = (CANVAS - width) // 2, (CANVAS + height) // 2
    cv2.putText(canvas, text, place, font, 6.5, ink, thick, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((CANVAS / 2, CANVAS / 2), random.uniform(-12, 12), 1.0)
    return cv2.warpAffine(canvas, turn, (CANVAS, CANVAS), borderValue=paper)


def drawn(draw, count, size):
    """`count` pictures, uint8 (count, size, size, C)."""
    drawings = (draw(np.random.default_rng((1, number))) for number in range(count))
    small = [cv2.resize(each, (size, size), interpolation=cv2.INTER_AREA) for each in drawings]
    return np.stack(small).reshape(count, size, size, -1)
