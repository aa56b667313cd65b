"""What a user should know about a set of pictures before training on it."""

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from balanced_gan.data.cache import StoredPictures

_FEW = 50  # pictures
_LOOKED_AT = 5000  # pictures that are searched for duplicates
_MANY_EQUAL = 0.1  # share of the pictures


def different(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures (N, S, S, C) without those equal to an earlier one, in the same order."""
    first = {digest: number for number, digest in reversed([*enumerate(_digests(pictures))])}
    return pictures[sorted(first.values())]


def _digests(pictures: NDArray[np.uint8]) -> list[bytes]:
    """One of each picture, since 5,000 pictures of 256x256 are a gigabyte."""
    return [sha256(picture).digest() for picture in np.ascontiguousarray(pictures)]


def doubts(samples: NDArray[np.uint8] | StoredPictures) -> list[str]:
    """Sentences that warn about a set of pictures; none if all is well.

    Args:
        samples: uint8 (N, S, S, C).
    """
    found = []
    if len(samples) < _FEW:
        found.append(
            f"{len(samples)} pictures are very few: expect near copies of them. Adding more helps "
            "most, even if they are only similar."
        )
    count, slices = min(len(samples), _LOOKED_AT), range(0, _LOOKED_AT, 500)
    equal = count - len(
        {each for start in slices for each in _digests(samples[start : start + 500])}
    )
    if equal and equal == count - 1:
        found.append("all pictures are identical, so there is nothing else to learn.")
    elif equal > _MANY_EQUAL * count:
        found.append(f"{equal} of {count} pictures are duplicates.")
    return found
