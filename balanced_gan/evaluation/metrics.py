"""Metrics of how good generated pictures are: NumPy arrays in, floats out.

Every metric compares *samples* (generated pictures) with *real* ones, preferably ones that were not
trained on. The sliced Wasserstein distance compares patches of the pictures themselves, all others
features (`balanced_gan.evaluation.features`), one row per picture.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

PATCH = 7  # side of a patch in pixels, as in Karras et al. 2018
SMALLEST_LEVEL = 16  # side of the coarsest pyramid level, as there
_PATCHES = 16_384  # per level and set
_PROJECTIONS = 128
_LEAST_DEVIATION = 0.01  # of the mean deviation of all features
_NEIGHBOURS = 10  # the copy check compares the nearest picture with this many next ones
FLAGGED = 0.05  # share of real pictures that the copy check flags

Features = NDArray[np.floating]  # (N, F), one row per picture


class Metric(NamedTuple):
    """What a metric is, as shown in tables."""

    better: str  # "lower", "higher" or "as real"
    meaning: str


METRICS = {
    "mmd": Metric("lower", "distance from real pictures, in the features of trained networks"),
    "swd": Metric("lower", "distance of small patches from real ones (sliced Wasserstein)"),
    "fid": Metric("lower", "distance from real pictures, in InceptionV3's features"),
    "kid": Metric("lower", "like fid, but unbiased for few pictures"),
    "precision": Metric("higher", "share of samples that look like a real picture"),
    "recall": Metric("higher", "share of real pictures that a sample looks like"),
    "density": Metric("higher", "like precision, but counts all real pictures nearby"),
    "coverage": Metric("higher", "share of real pictures that have a sample nearby"),
    "diversity": Metric("as real", "how different the pictures are from one another"),
    "memorised": Metric("lower", "share suspiciously close to one training picture"),
}


def sliced_wasserstein(
    samples: NDArray[np.uint8], real: NDArray[np.uint8], seed: int = 0
) -> list[float]:
    """Computes the distance between patches of two sets of pictures, on each level of a pyramid.

    The method uses a Laplacian pyramid, 7x7 patches, and sorted projections onto random
    directions (Karras et al. 2018, arXiv 1710.10196, section 5; Rabin et al. 2011). Unlike there,
    both sets are scaled by the mean and deviation of the *real* patches, so that missing contrast
    and detail count. Scaled by their own, blurred pictures would look right.

    Args:
        samples: (N, S, S, C) or (N, S, S).
        real: (M, S, S, C), of the same size; M may differ from N.
        seed: of the choice of patches and directions.

    Returns:
        One distance per level, from the finest to the coarsest, in thousandths of a standard
        deviation of the real patches: 0 or more, lower is better.
    """
    random = np.random.default_rng(seed)
    numbers = PATCH**2 * (real[0].size // real.shape[1] ** 2)  # of a patch
    ours_at, theirs_at, axes = [], [], []
    for side in _sides(real.shape[1]):
        ours_at.append(_places(len(samples), side, random))
        theirs_at.append(_places(len(real), side, random))
        axes.append(random.standard_normal((_PROJECTIONS, numbers)).astype(np.float32))
    levels = zip(_patches(samples, ours_at), _patches(real, theirs_at), axes, strict=True)
    distances = []
    for ours, theirs, directions in levels:
        mean = theirs.mean((0, 1, 2))
        deviation = theirs.std((0, 1, 2)) + 1e-6  # it is 0 for pictures of one colour
        ours, theirs = (
            ((patches - mean) / deviation).reshape(len(patches), -1) for patches in (ours, theirs)
        )
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        apart = np.sort(directions @ ours.T) - np.sort(directions @ theirs.T)
        distances.append(1000 * float(np.abs(apart).mean()))
    return distances


def _sides(side: int) -> list[int]:
    """The sides of a pyramid's levels in pixels, from the finest."""
    return [side, *_sides((side + 1) // 2)] if side >= 2 * SMALLEST_LEVEL else [side]


def _places(count: int, side: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Where random patches lie: their pictures, rows and columns, (3, P)."""
    corners = side - PATCH + 1
    return np.stack([random.integers(0, high, _PATCHES) for high in (count, corners, corners)])


def _patches(
    pictures: NDArray[np.uint8], places: Sequence[NDArray[np.int64]]
) -> list[NDArray[np.float32]]:
    """The patches at `_places` of each level, (P, 7, 7, C).

    One picture at a time: all levels of 1,000 pictures of 256x256 would take a gigabyte.
    """
    pictures = pictures.reshape(*pictures.shape[:3], -1)
    shape = _PATCHES, PATCH, PATCH, pictures.shape[-1]
    patches = [np.empty(shape, np.float32) for _ in places]
    for number, picture in enumerate(pictures):
        for level, (of_picture, rows, columns), found in zip(
            _pyramid(picture), places, patches, strict=True
        ):
            here = of_picture == number
            windows = np.lib.stride_tricks.sliding_window_view(level, (PATCH, PATCH), axis=(0, 1))
            found[here] = windows[rows[here], columns[here]].transpose(0, 2, 3, 1)
    return patches


def _pyramid(picture: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Laplacian levels (s, s, C) of a picture (S, S, C), from the finest, and the remainder."""
    level = picture.astype(np.float32)
    levels = []
    for side in _sides(len(picture))[:-1]:
        smaller = np.asarray(cv2.pyrDown(level), np.float32)
        levels.append(level - cv2.pyrUp(smaller, dstsize=(side, side)).reshape(level.shape))
        level = smaller.reshape(*smaller.shape[:2], -1)
    return [*levels, level]


def frechet_distance(samples: Features, real: Features) -> float:
    """Computes the FID, if the features are InceptionV3's (Heusel et al. 2017, arXiv 1706.08500):
    0 or more, lower is better.

    Both sets, (N, F) and (M, F) of at least two rows, are treated as normal distributions. A small
    number of pictures biases the distance upwards, so compare only distances of equally many.
    """
    means = [x.mean(0, dtype=np.float64) for x in (samples, real)]
    a, b = (
        (x - mean) / np.sqrt(len(x) - 1) for x, mean in zip((samples, real), means, strict=True)
    )
    # The trace of the square root of the product of the two covariances a'a and b'b is the
    # sum of the singular values of ab', which is N x M: no F x F matrix is needed.
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    spread = np.square(a).sum() + np.square(b).sum()
    return float(max(0.0, np.square(means[0] - means[1]).sum() + spread - 2 * root))


def kernel_distance(samples: Features, real: Features) -> float:
    """Computes the KID, if the features are InceptionV3's (Binkowski et al. 2018,
    arXiv 1801.01401): lower is better, and slightly below 0 when the sets cannot be told apart.

    This is the squared maximum mean discrepancy with the kernel (x.y / F + 1)^3 in its unbiased
    form: for two sets from the same distribution its expected value is 0, however small they are.
    The sets are (N, F) and (M, F), of at least two rows.
    """
    ours, theirs = np.asarray(samples, np.float64), np.asarray(real, np.float64)

    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def mean_of_pairs(x: NDArray[np.float64]) -> float:
        k = kernel(x, x)
        return (k.sum() - np.trace(k)) / (len(x) * (len(x) - 1))

    return float(mean_of_pairs(ours) + mean_of_pairs(theirs) - 2 * kernel(ours, theirs).mean())


def standardised(samples: Features, real: Features) -> tuple[Features, Features]:
    """Scales each feature of (N, F) and (M, F) by the mean and deviation of the real pictures.

    Otherwise a kernel would see only the features with the largest values. A feature that hardly
    varies counts as if it had a hundredth of the mean deviation. Grey pictures have a few such
    features of a discriminator. Without this limit, drawn letters were at a distance of 440 to
    360,000 in its features instead of 0.7 to 16. In colour pictures none of them varies so little
    (the least is 0.012 of the mean).
    """
    mean, deviation = real.mean(0), real.std(0)
    # 1e-6 in case none of them varies, as when all pictures are the same.
    deviation = np.maximum(deviation, _LEAST_DEVIATION * deviation.mean()) + 1e-6
    return (samples - mean) / deviation, (real - mean) / deviation


def precision_recall(samples: Features, real: Features, neighbours: int = 3) -> tuple[float, float]:
    """Measures how many samples resemble a real picture, and how many real pictures a sample.

    Each point of a set has a ball that reaches to its k-th nearest neighbour in the set
    (Kynkaanniemi et al. 2019, arXiv 1904.06991).

    Args:
        samples: (N, F).
        real: (M, F).
        neighbours: k, less than N and M.

    Returns:
        `(precision, recall)` in [0, 1], higher is better: the share of samples inside a ball of
        the real set, and the share of real pictures inside a ball of the samples.
    """
    apart = distances(samples, real)
    precision = (apart <= _radii(real, neighbours)).any(1).mean()
    recall = (_radii(samples, neighbours)[:, None] >= apart).any(0).mean()
    return float(precision), float(recall)


def density_coverage(samples: Features, real: Features, neighbours: int = 5) -> tuple[float, float]:
    """Measures precision and recall robustly against outliers (Naeem et al. 2020,
    arXiv 2002.09797).

    Args:
        samples: (N, F).
        real: (M, F).
        neighbours: k, less than M.

    Returns:
        `(density, coverage)`, higher is better. Density is the mean number of real balls that
        contain a sample, divided by k: 0 or more, about 1 for real pictures. Coverage is the
        share of real balls that contain a sample, in [0, 1]; it grows with N.
    """
    within = distances(samples, real) <= _radii(real, neighbours)
    return float(within.sum(1).mean() / neighbours), float(within.any(0).mean())


def diversity(points: Features) -> float:
    """Measures how different pictures are from one another: the median distance of all pairs.

    It is small for a generator whose pictures are nearly all alike. Defects change it too (noise
    lowers it, blur raises it), so it means nothing without precision.

    Args:
        points: (N, F), at least two.

    Returns:
        0 or more; best close to that of the real pictures.
    """
    return float(np.median(distances(points, points)[np.triu_indices(len(points), 1)]))


def nearest(
    points: Features, training: Features, own: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Finds the training picture nearest to each picture, and how much nearer it is than others.

    Args:
        points: (N, F).
        training: (T, F), at least twelve.
        own: whether row i of both is the same picture, which then does not count.

    Returns:
        `(index, ratio)`: indices (N,) into `training`, and ratios (N,) in [0, 1]: the distance to
        the nearest picture divided by the mean distance to the next ten. The ratio of an exact
        copy is 0. Distances alone would not do: smooth or ordinary pictures are near to all.
    """
    apart = distances(points, training)
    if own:
        np.fill_diagonal(apart, np.inf)
    order = np.argpartition(apart, _NEIGHBOURS, axis=1)[:, : _NEIGHBOURS + 1]
    near = np.take_along_axis(apart, order, 1)
    closest = near.min(1)
    others = (near.sum(1) - closest) / _NEIGHBOURS
    index = order[np.arange(len(order)), near.argmin(1)]
    return index, closest / np.maximum(others, 1e-12)


def memorised(
    samples: Features, training: Sequence[Features], held_out: Features | None = None
) -> float:
    """Measures the share of samples that are suspiciously close to one training picture.

    A sample is flagged if its ratio (see `nearest`) is lower than that of 95 % of the real
    pictures that were not trained on. Comparing copies with held-out pictures is an idea of
    Meehan et al. 2020, arXiv 2004.05675.

    Args:
        samples: (N, F).
        training: one or more (T, F) in the same order: the training pictures and, if they were
            also trained on, their mirror images. T is at least twelve.
        held_out: (M, F), real pictures that were not trained on. If None, each training picture
            is compared with all the others.

    Returns:
        The share in [0, 1], lower is better; about 0.05 or less if nothing is copied.
    """

    def ratios(points: Features, own: bool = False) -> NDArray[np.float64]:
        return np.min([nearest(points, some, own)[1] for some in training], axis=0)

    reference = ratios(training[0], own=True) if held_out is None else ratios(held_out)
    return float((ratios(samples) < np.quantile(reference, FLAGGED)).mean())


def distances(a: Features, b: Features) -> NDArray[np.float64]:
    """Computes the Euclidean distances of all pairs, (N, F) and (M, F) -> (N, M)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    result = np.sqrt(np.maximum(squares, 0))
    # The difference of large sums leaves about 1e-7 where the same point meets itself.
    return np.where(squares < 1e-12 * (1 + (b * b).sum(1)), 0, result)


def _radii(points: Features, neighbours: int) -> NDArray[np.float64]:
    """Distance from each point to its k-th nearest neighbour in the same set."""
    return np.sort(distances(points, points), axis=1)[:, neighbours]
