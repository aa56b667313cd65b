"""The other built-in data: points of a sine curve, for watching the rule without pictures.

A GAN in two dimensions can be judged exactly. The curve is known, so the distance of the
points and the parts of the curve that they miss can be measured.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

COUNT = 1024
END = 2 * np.pi  # of the x-range, which begins at 0
_BINS = 10


def points_on_curve(count: int) -> NDArray[np.float32]:
    """Random points (x, sin x), float32 (count, 2), x in [0, 2 pi]; the same on every call."""
    x = np.random.default_rng(0).uniform(0, END, count)
    return np.stack([x, np.sin(x)], axis=1).astype(np.float32)


def distance_and_coverage(points: NDArray[Any]) -> tuple[float, int]:
    """Measures how well points, (N, 2), follow the curve.

    Returns:
        `(distance, bins)`: the mean distance to the curve, and how many of ten equal parts of
        its x-range contain a point.
    """
    x = np.linspace(0, END, 2001)  # 0.003 apart
    curve = np.stack([x, np.sin(x)], axis=1)
    distances = [np.linalg.norm(curve - point, axis=1).min() for point in points]
    occupied, _ = np.histogram(points[:, 0], _BINS, (0, END))
    return float(np.mean(distances)), int(np.count_nonzero(occupied))
