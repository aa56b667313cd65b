"""What a user should know about a set of pictures before training on it."""

import sys
from collections.abc import Iterable
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from balanced_gan.data.cache import StoredPictures

_FEW = 50  # pictures
_LOOKED_AT = 5000  # pictures that are searched for duplicates
_MANY_EQUAL = 0.1  # share of the pictures


def different(pictures: NDArray[np.uint8], known: Iterable[bytes] = ()) -> NDArray[np.uint8]:
    """Pictures that equal no earlier one and no known one, in the same order.

    Args:
        pictures: (N, S, S, C).
        known: the `digests` of other pictures.
    """
    seen = set(known)
    first = []
    for number, digest in enumerate(digests(pictures)):
        if digest not in seen:
            seen.add(digest)
            first.append(number)
    return pictures[first]


def digests(pictures: NDArray[np.uint8] | StoredPictures, most: int = sys.maxsize) -> list[bytes]:
    """The SHA-256 digest of each picture, (N, S, S, C), or only of the first ones.

    They are read in parts: 5,000 pictures of 256x256 take a gigabyte.
    """
    count = min(len(pictures), most)
    parts = (pictures[start : min(start + 500, count)] for start in range(0, count, 500))
    return [sha256(picture).digest() for part in parts for picture in np.ascontiguousarray(part)]


def doubts(samples: NDArray[np.uint8] | StoredPictures) -> list[str]:
    """Sentences that warn about a set of pictures, uint8 (N, S, S, C); none if all is well."""
    found = []
    if len(samples) < _FEW:
        found.append(
            f"{len(samples)} pictures are very few: expect near copies of them. Adding more helps "
            "most, even if they are only similar."
        )
    count = min(len(samples), _LOOKED_AT)
    equal = count - len(set(digests(samples, count)))
    if equal and equal == count - 1:
        found.append("all pictures are identical, so there is nothing else to learn.")
    elif equal > _MANY_EQUAL * count:
        found.append(f"{equal} of {count} pictures are duplicates.")
    return found
