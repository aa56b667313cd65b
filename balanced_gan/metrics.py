"""How good generated pictures are: NumPy arrays in, floats out.

Two kinds of figures. The sliced Wasserstein distance compares patches of pictures and needs
no features. All others compare points in a feature space, one row a picture, of whatever
`balanced_gan.features` gives.

Every one compares *samples* (generated) with *real* pictures, best with real ones that the
generator was not trained on.
"""

import cv2
import numpy as np

PATCH = 7  # side of a patch in pixels, as in Karras et al. 2018
SMALLEST_LEVEL = 16  # side of the coarsest pyramid level, likewise
_PATCHES = 16_384  # a level and a set
_PROJECTIONS = 128
_NEIGHBOURS = 10  # that a picture's nearest one is compared with, in the copy check
FLAGGED = 0.05  # share of real pictures that the copy check flags


def sliced_wasserstein(samples, real, seed=0):
    """Distance between the patches of two sets of pictures, on each level of a pyramid.

    Laplacian pyramid, 7x7 patches, sorted projections onto random directions (Karras et al.
    2018, arXiv 1710.10196, section 5; Rabin et al. 2011). Unlike theirs, both sets are scaled
    by the mean and deviation of the *real* patches, so that missing contrast and detail
    count: scaled by their own, blurred pictures would look right.

    Args:
        samples: uint8 (N, S, S, C) or (N, S, S).
        real: uint8 (M, S, S, C), of the same size; M may differ from N.
        seed: of the choice of patches and directions.

    Returns:
        A list of floats, 0 or more, lower is better: thousandths of a standard deviation of
        the real patches, from the finest level to the coarsest.
    """
    random = np.random.default_rng(seed)
    distances = []
    for ours, theirs in zip(_pyramid(samples), _pyramid(real), strict=True):
        ours, theirs = _patches(ours, random), _patches(theirs, random)  # (P, 7, 7, C)
        mean = theirs.mean((0, 1, 2))
        deviation = theirs.std((0, 1, 2)) + 1e-6  # one colour all over deviates by nothing
        ours, theirs = (
            ((patches - mean) / deviation).reshape(len(patches), -1) for patches in (ours, theirs)
        )
        directions = random.standard_normal((_PROJECTIONS, ours.shape[1])).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        apart = np.sort(directions @ ours.T) - np.sort(directions @ theirs.T)
        distances.append(1000 * float(np.abs(apart).mean()))
    return distances


def _pyramid(pictures):
    """Laplacian levels, float32 (N, s, s, C), from the finest on; the last one is what is left."""
    level = pictures.reshape(*pictures.shape[:3], -1).astype(np.float32)
    levels = []
    while level.shape[1] >= 2 * SMALLEST_LEVEL:
        size = level.shape[1]
        smaller = np.stack([cv2.pyrDown(picture) for picture in level])
        blurred = np.stack([cv2.pyrUp(picture, dstsize=(size, size)) for picture in smaller])
        smaller, blurred = (x.reshape(*x.shape[:3], -1) for x in (smaller, blurred))
        levels.append(level - blurred)
        level = smaller
    return [*levels, level]


def _patches(level, random):
    """Random patches, (P, 7, 7, C)."""
    windows = np.lib.stride_tricks.sliding_window_view(level, (PATCH, PATCH), axis=(1, 2))
    count, rows, columns = windows.shape[:3]
    picked = (random.integers(0, high, _PATCHES) for high in (count, rows, columns))
    return windows[tuple(picked)].transpose(0, 2, 3, 1)


def frechet_distance(samples, real):
    """FID when the features are InceptionV3's (Heusel et al. 2017, arXiv 1706.08500).

    Both sets are taken for normal distributions. Few pictures bias it upwards: compare only
    figures from as many.

    Args:
        samples: features (N, F), two or more.
        real: features (M, F), two or more.

    Returns:
        A float, 0 or more, lower is better.
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


def kernel_distance(samples, real):
    """KID when the features are InceptionV3's (Binkowski et al. 2018, arXiv 1801.01401).

    The squared maximum mean discrepancy with the kernel (x.y / F + 1)^3, in its unbiased
    form: its expectation is 0 for two sets from the same distribution, however few.

    Args:
        samples: features (N, F), two or more.
        real: features (M, F), two or more.

    Returns:
        A float, lower is better; a little below 0 when the sets cannot be told apart.
    """
    samples, real = np.float64(samples), np.float64(real)

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def mean_of_pairs(x):
        k = kernel(x, x)
        return (k.sum() - np.trace(k)) / (len(x) * (len(x) - 1))

    return float(mean_of_pairs(samples) + mean_of_pairs(real) - 2 * kernel(samples, real).mean())


def standardised(samples, real):
    """Both sets with each feature centred and scaled as the real ones are: for features of very
    different sizes, of which a kernel would see only the largest.

    Args:
        samples: features (N, F).
        real: features (M, F).

    Returns:
        Two arrays of the same shapes.
    """
    mean, deviation = real.mean(0), real.std(0) + 1e-6  # a feature may be the same in all
    return (samples - mean) / deviation, (real - mean) / deviation


def precision_recall(samples, real, neighbours=3):
    """Do samples look like real pictures, and is every real picture looked like?

    A set is taken to cover the ball around each of its points that reaches to its k-th
    nearest neighbour (Kynkaanniemi et al. 2019, arXiv 1904.06991).

    Args:
        samples: features (N, F).
        real: features (M, F).
        neighbours: k, below N and M.

    Returns:
        `(precision, recall)` in [0, 1], higher is better: the share of samples within the
        real set's balls, and of real pictures within the samples' balls.
    """
    apart = distances(samples, real)
    precision = (apart <= _radii(real, neighbours)).any(1).mean()
    recall = (_radii(samples, neighbours)[:, None] >= apart).any(0).mean()
    return float(precision), float(recall)


def density_coverage(samples, real, neighbours=5):
    """Precision and recall that single outliers cannot spoil (Naeem et al. 2020,
    arXiv 2002.09797).

    Args:
        samples: features (N, F).
        real: features (M, F).
        neighbours: k, below M.

    Returns:
        `(density, coverage)`, higher is better: how many real balls hold a sample, as a
        multiple of what is expected, 0 or more, about 1 for real pictures; and the share, in
        [0, 1], of real balls that hold one at all. Coverage grows with N.
    """
    within = distances(samples, real) <= _radii(real, neighbours)
    return float(within.sum(1).mean() / neighbours), float(within.any(0).mean())


def spread(points):
    """How unlike one another pictures are: the median distance of all pairs.

    A generator that has collapsed to a few pictures has a small one. Noise and defects make
    it larger, so it says nothing without precision.

    Args:
        points: features (N, F), two or more.

    Returns:
        A float, 0 or more; best near that of the real pictures.
    """
    return float(np.median(distances(points, points)[np.triu_indices(len(points), 1)]))


def nearest(points, training, own=False):
    """The training picture nearest to each picture, and how much nearer it is than others.

    Args:
        points: features (N, F).
        training: features (T, F), twelve or more.
        own: whether row i of both is the same picture, which then does not count.

    Returns:
        `(index, ratio)`: int (N,) into `training`, and float (N,) in [0, 1], the distance to it
        divided by the mean distance to the ten nearest after it. 0 is an exact copy. A ratio
        and not the distance itself, because smooth or ordinary pictures are near to all.
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


def copies(samples, training, held_out=None):
    """Whether samples copy training pictures.

    A sample is flagged if its nearest training picture is nearer, compared with the next ten,
    than it is for all but 5 % of real pictures that were not trained on. (The idea to set
    copies against held-out pictures is from Meehan et al. 2020, arXiv 2004.05675.)

    Args:
        samples: features (N, F).
        training: features of the training pictures, a list of one or more (T, F) in the same
            order: as they are and, if that was trained on, mirrored. T is twelve or more.
        held_out: features (M, F) of real pictures that were not trained on; if None, each
            training picture is set against all the others.

    Returns:
        The share of flagged samples, in [0, 1], lower is better; about 0.05 or less if nothing
        is copied.
    """

    def ratios(points, own=False):
        return np.min([nearest(points, some, own)[1] for some in training], axis=0)

    reference = ratios(training[0], own=True) if held_out is None else ratios(held_out)
    return float((ratios(samples) < np.quantile(reference, FLAGGED)).mean())


def distances(a, b):
    """Euclidean distances of all pairs, (N, F) and (M, F) -> float64 (N, M)."""
    a, b = np.float64(a), np.float64(b)
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    result = np.sqrt(np.maximum(squares, 0))
    # The difference of large sums leaves about 1e-7 where the same point meets itself.
    return np.where(squares < 1e-12 * (1 + (b * b).sum(1)), 0, result)


def _radii(points, neighbours):
    """Distance from each point to its k-th nearest neighbour in the same set."""
    return np.sort(distances(points, points), axis=1)[:, neighbours]
