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
    # Digests, since 5,000 pictures of 256x256 are a gigabyte.
    digests = [sha256(picture).digest() for picture in np.ascontiguousarray(pictures)]
    first = {digest: number for number, digest in reversed([*enumerate(digests)])}
    return pictures[sorted(first.values())]


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
    some = samples[:_LOOKED_AT]
    equal = len(some) - len(different(some))
    if equal and equal == len(some) - 1:
        found.append("all pictures are identical, so there is nothing else to learn.")
    elif equal > _MANY_EQUAL * len(some):
        found.append(f"{equal} of {len(some)} pictures are duplicates.")
    return found
