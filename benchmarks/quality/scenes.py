"""Drawn pictures of many kinds, foreign to no one: what the start called neutral learned from.

Shapes with textures of natural spectra teach a GAN what all pictures have in common, edges,
surfaces, shades, and an object before a ground, so that it then learns other pictures sooner
(Baek & Shim 2022, arXiv 2204.04950). Nothing here is a face, and none of the kinds of `kinds.py`
is among these, since those judge the start.

    python -m benchmarks.quality.scenes    writes a sheet of 256 of them, scenes.png
"""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from balanced_gan.output.images import encode_png, sheet

_CANVAS = 128  # drawn twice as large and averaged down
SIZE = 64


def _noise(random, slope, channels=1):
    """A texture, (C, C, channels) of mean 0 and deviation 1, whose amplitude falls as
    1 / frequency**slope, as that of photographs does with 1 (Field 1987)."""
    spectrum = np.fft.rfft2(random.normal(size=(_CANVAS, _CANVAS, channels)), axes=(0, 1))
    rows, columns = np.fft.fftfreq(_CANVAS)[:, None], np.fft.rfftfreq(_CANVAS)[None]
    stretch = np.exp(random.normal(0, 0.5))  # grain, as of wood or water
    frequency = np.hypot(rows * stretch, columns / stretch)
    frequency[0, 0] = np.inf
    spectrum /= frequency[..., None] ** slope
    texture = np.fft.irfft2(spectrum, s=(_CANVAS, _CANVAS), axes=(0, 1))
    return (texture / texture.std((0, 1))).astype(np.float32)


def _colour(random):
    """One colour in [0, 1]: of any hue, mostly dull, as in nature."""
    hsv = [random.uniform(0, 180), 255 * random.beta(1.5, 2.2), 255 * random.beta(2, 1.5)]
    return cv2.cvtColor(np.uint8([[hsv]]), cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32) / 255


def _surface(random):
    """A picture of one material: a colour, its shades, a second colour in stripes or patches."""
    rows, columns = np.mgrid[0:_CANVAS, 0:_CANVAS].astype(np.float32) / _CANVAS - 0.5
    angle = random.uniform(0, 2 * np.pi)
    along = np.cos(angle) * columns + np.sin(angle) * rows
    picture = np.broadcast_to(_colour(random), (_CANVAS, _CANVAS, 3)).copy()
    other = _colour(random)
    kind = random.choice(5, p=[0.45, 0.1, 0.15, 0.2, 0.1])
    if kind == 1:  # stripes
        share = 0.5 + 0.5 * np.tanh(4 * np.sin(along * random.uniform(10, 60)))
    elif kind == 2:  # patches
        share = 0.5 + 0.5 * np.tanh(3 * _noise(random, random.uniform(1.2, 2.2))[..., 0])
    elif kind == 3:  # a gradient
        share = np.clip(0.5 + along, 0, 1)
    elif kind == 4:  # dots
        period = random.uniform(0.08, 0.3)
        wave = np.cos(2 * np.pi * columns / period) + np.cos(2 * np.pi * rows / period)
        share = 0.5 + 0.5 * np.tanh(4 * (wave - 0.6))
    else:
        share = np.zeros_like(rows)
    picture += share[..., None] * (other - picture)
    shade = 0.25 * random.uniform() ** 2 * _noise(random, random.uniform(0.8, 1.8))
    light = random.uniform(0, 0.6) * along[..., None]
    return picture + shade + light


def _shape(random, centre, size):
    """A mask in [0, 1], (C, C): one of several outlines, at a place and of a size (of 1)."""
    mask = np.zeros((_CANVAS, _CANVAS), np.uint8)
    x, y = (int(place * _CANVAS) for place in centre)
    radius = max(int(size * _CANVAS / 2), 3)
    kind = random.integers(5)
    turn = random.uniform(0, 360)
    flat = random.uniform(0.4, 1.0)
    if kind == 0:
        cv2.ellipse(mask, (x, y), (radius, int(radius * flat)), turn, 0, 360, 255, -1, cv2.LINE_AA)
    elif kind == 1:
        corners = cv2.boxPoints(((x, y), (1.8 * radius, 1.8 * radius * flat), float(turn)))
        cv2.fillPoly(mask, [np.intp(corners)], 255, cv2.LINE_AA)
    else:
        # A closed curve around the centre: smooth, spiky, or with corners.
        count = int(random.integers(3, 9)) if kind == 2 else 72
        angles = np.linspace(0, 2 * np.pi, count, endpoint=False) + random.uniform(0, 2 * np.pi)
        reach = 1.0
        if kind > 2:
            for wave in range(2, 7):
                strength = random.normal(0, 0.5 / wave) if kind == 3 else 0.0
                reach = reach + strength * np.cos(wave * angles + random.uniform(0, 6.28))
            if kind == 4:  # a star of straight lines
                points = int(random.choice([3, 4, 6, 9, 12, 18]))
                wave = np.abs(np.arange(count) % (count // points) / (count // points) - 0.5)
                reach = 1 - 2 * random.uniform(0.2, 0.8) * wave
        curve = np.stack([x + radius * reach * np.cos(angles), y + radius * reach * np.sin(angles)])
        cv2.fillPoly(mask, [np.intp(curve.T)], 255, cv2.LINE_AA)
    return mask.astype(np.float32)[..., None] / 255


def _paint(random, picture, mask):
    """Puts a surface where a mask is, round by light from one side, sometimes with an outline."""
    surface = _surface(random)
    if random.random() < 0.5:
        depth = cv2.GaussianBlur(mask, (0, 0), random.uniform(3, 12))[..., None]
        surface = surface * (1 - random.uniform(0, 0.6) * (1 - depth))
    if random.random() < 0.3:
        edge = cv2.dilate(mask, np.ones((3, 3)))[..., None] - mask
        picture = picture * (1 - 0.8 * np.clip(edge, 0, 1))
    return picture + mask * (surface - picture)


def _parts(random, centre, size):
    """Masks of an object with parts: a body, pieces on it, often the same on both sides."""
    yield _shape(random, centre, size)
    for _ in range(int(random.integers(0, 6))):
        x, y = centre + size * random.uniform(-0.4, 0.4, 2)
        part = _shape(random, (x, y), size * random.uniform(0.1, 0.45))
        if random.random() < 0.6:  # and its mirror image
            there = np.float32([[-1, 0, 2 * centre[0] * _CANVAS], [0, 1, 0]])
            other = cv2.warpAffine(part, there, (_CANVAS, _CANVAS))[..., None]
            part = np.maximum(part, other)
        yield part


def _lines(random, picture):
    """Strokes, straight or bent, as of branches, wires and hair."""
    colour, thickness = _colour(random), int(random.integers(1, 7))
    mask = np.zeros((_CANVAS, _CANVAS), np.uint8)
    for _ in range(int(random.integers(1, 20))):
        walk = random.normal(0, 1, (6, 2)).cumsum(0).cumsum(0) * random.uniform(2, 12)
        curve = np.intp(random.uniform(0, _CANVAS, 2) + walk)
        cv2.polylines(mask, [curve], False, 255, thickness, cv2.LINE_AA)
    return picture + mask[..., None].astype(np.float32) / 255 * (colour - picture)


def draw_scene(random):
    """One picture, uint8 (128, 128, 3): a ground, and before it an object in the middle, many
    things anywhere, a horizon with things, or nothing.

    Args:
        random: a `numpy.random.Generator`.
    """
    picture = _surface(random)
    kind = random.random()
    if kind < 0.25:  # land and sky
        height = random.uniform(0.3, 0.8) * _CANVAS
        skyline = height + _noise(random, 2.0)[0, :, 0] * random.uniform(0, 14)
        land = np.float32(np.arange(_CANVAS)[:, None] > skyline[None])[..., None]
        picture = _paint(random, picture, land)
    if kind < 0.75:  # an object, or two
        for _ in range(int(random.choice([1, 1, 1, 2]))):
            centre = np.clip(random.normal(0.5, 0.08, 2), 0.2, 0.8)
            for part in _parts(random, centre, random.uniform(0.3, 0.95)):
                picture = _paint(random, picture, part)
    elif kind < 0.95:  # many things
        for _ in range(int(random.integers(2, 14))):
            shape = _shape(random, random.uniform(0, 1, 2), random.uniform(0.08, 0.6))
            picture = _paint(random, picture, shape)
    if random.random() < 0.15:
        picture = _lines(random, picture)
    if random.random() < 0.5:  # the light in the whole scene
        picture = picture + random.uniform(0, 0.12) * _noise(random, 1.5)
    if random.random() < 0.15:
        picture = np.repeat(picture.mean(2, keepdims=True), 3, 2)  # grey
    return np.uint8(np.clip(picture * 255, 0, 255))


def draw_scenes(count):
    """Pictures, uint8 (count, 64, 64, 3), on all cores; the same number is the same picture each
    time."""
    with ProcessPoolExecutor() as pool:
        return np.stack(list(pool.map(numbered_scene, range(count), chunksize=50)))


def numbered_scene(number):
    scene = draw_scene(np.random.default_rng((20, number)))
    return cv2.resize(scene, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    Path("scenes.png").write_bytes(encode_png(sheet(draw_scenes(256), 16)))
