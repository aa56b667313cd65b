"""How often each training picture is shown: unusual ones more often than ordinary ones.

A generator makes rare kinds of pictures even more rarely than they are. Of 320 portraits 15 % show
women; after 396,000 pictures seen equally often, 12 % of its samples did, and diversity was 0.92
of unseen portraits'. With the weights below, 55,000 pictures later, both were right again
(benchmarks/ablations.md).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from balanced_gan.evaluation.features import shape_and_colour
from balanced_gan.evaluation.metrics import distances

_NEIGHBOUR = 5  # the distance to this one, nearest first, says how unusual a picture is
_COMPARED = 1000  # pictures: more would take long
_LEAST, _MOST = 0.25, 4.0  # so that neither a burst of copies vanishes nor a stray picture rules


def sampling_weights(samples: Any, power: float) -> NDArray[np.float64]:
    """Computes how often each picture is shown, (N,), 1 on average.

    A picture is as unusual as the distance to its fifth neighbour is long, in outlines and colours,
    among at most 1,000 pictures. Its weight is that distance as a share of the median one, to a
    power, from 0.25 to 4. Five or more copies of a picture therefore count like one or two.

    Args:
        samples: uint8 pictures (N, S, S, C), or points (N, 2), which all get the same weight.
        power: `Settings.oversampling`; 0 for equal weights.
    """
    count = len(samples)
    if samples.ndim != 4 or not power or count <= _NEIGHBOUR:
        return np.ones(count)
    chosen = np.random.default_rng(0).permutation(count)[:_COMPARED]
    others = shape_and_colour(samples[chosen])
    found = []
    for first in range(0, count, _COMPARED):
        some = shape_and_colour(samples[first : first + _COMPARED])
        found.append(np.partition(distances(some, others), _NEIGHBOUR, 1)[:, _NEIGHBOUR])
    apart = np.concatenate(found)
    weights = np.clip((apart / max(np.median(apart), 1e-12)) ** power, _LEAST, _MOST)
    return weights / weights.mean()
