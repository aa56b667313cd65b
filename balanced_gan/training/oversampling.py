"""How often each training picture is shown: unusual ones more often than ordinary ones.

A generator makes rare kinds of pictures even rarer. Of 320 portraits 15 % show women. After 395,744
pictures, all shown equally often, 12 to 13 % of the generator's did, and their diversity was 0.90
to 0.93; that of the portraits is 0.95. With these weights and a power of 3 it is 0.98 and 1.02, at
a KID of 0.010 and 0.012 instead of 0.008 (benchmarks/ablations.md).
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from balanced_gan.evaluation.features import shape_and_colour
from balanced_gan.evaluation.metrics import distances
from balanced_gan.output.images import in_batches

_NEIGHBOUR = 5  # place of the distance that says how unusual a picture is; its own is 0
_COMPARED = 500  # pictures to find it among; twice as many give nearly the same weights
_LEAST, _MOST = 0.25, 4.0  # so that copies do not vanish, and a stray picture does not dominate
_AT_ONCE = 250  # pictures in memory; of 256x256 they are 50 MB


def sampling_weights(samples: Any, power: float) -> NDArray[np.float64]:
    """Computes how often each picture is shown, (N,), 1 on average.

    The farther a picture is from its fifth neighbour among at most 500 pictures (the sixth, if it
    is not one of them), in outlines and colours, the more unusual it is. Its weight is that
    distance as a share of the median distance, to a power, from 0.25 to 4. With at most 500
    pictures, one that occurs six times or more gets the least weight.

    Args:
        samples: uint8 pictures (N, S, S, C), or points (N, 2), which all get the same weight.
        power: `Settings.oversampling`; 0 for equal weights.
    """
    count = len(samples)
    if samples.ndim != 4 or not power or count <= _NEIGHBOUR:
        return np.ones(count)

    def features(rows):
        return shape_and_colour(samples[rows])

    chosen = np.random.default_rng(0).permutation(count)[:_COMPARED]
    others = in_batches(features, chosen, _AT_ONCE)

    def distance(rows):
        nearest = np.partition(distances(features(rows), others), _NEIGHBOUR)
        return nearest[:, _NEIGHBOUR].copy()  # a view would keep the other 499, too

    parts = [np.arange(start, min(start + _AT_ONCE, count)) for start in range(0, count, _AT_ONCE)]
    with ThreadPoolExecutor() as pool:  # OpenCV releases Python's lock
        found = tqdm(pool.map(distance, parts), "weighing pictures", len(parts), False, delay=1)
        apart = np.concatenate([*found])
    weights = np.clip((apart / max(np.median(apart), 1e-12)) ** power, _LEAST, _MOST)
    return weights / weights.mean()
