"""Features from a discriminator that is already trained.

Distances in these features rank runs on the same pictures much like distances in the features of
a network trained on photographs: the rank correlation is 0.91 on portraits and 0.72 on emoji.
Patches (swd) reach 0.73 and 0.52. Of two moments early in a run, these distances find the later one
nearer in 0.92 of the pairs, those of the photographs' network in 0.84
(benchmarks/quality/ranks.py). Distances on different pictures cannot be compared. The discriminator
comes with this package, so nothing is downloaded.
"""

import cv2
import numpy as np
from keras import ops
from numpy.typing import NDArray

from balanced_gan.model.start import load_shipped
from balanced_gan.output.images import in_batches, resized_rgb

_START = "neutral"  # drawn scenes of many kinds; of ten choices of features the closest to KID
_SIZE = 64  # side in pixels of the pictures that it was trained on
_STAGES = ("x8/pictures", "x4", "x2", "x1")  # the names of its convolutions in a start
_AT_ONCE = 64  # pictures in one call


def learned_features(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Computes the output of each stage of the discriminator, averaged over quarters, (N, F).

    Args:
        pictures: (N, S, S, C), C is 1 or 3; resized to 64x64.

    Raises:
        InputError: if the file of the start is damaged.
    """
    arrays = load_shipped(_START).arrays
    kernels = [arrays[f"discriminator/{stage}/kernel"] for stage in _STAGES]
    biases = [arrays[f"discriminator/{stage}/bias"] for stage in _STAGES]

    def features(some: NDArray[np.uint8]) -> NDArray[np.float32]:
        x = resized_rgb(some, _SIZE, cv2.INTER_AREA).astype(np.float32) / 127.5 - 1
        seen = []
        for kernel, bias in zip(kernels, biases, strict=True):
            x = ops.leaky_relu(ops.conv(x, kernel, strides=2, padding="same") + bias, 0.2)
            quarters = ops.average_pool(x, x.shape[1] // 2)
            seen.append(ops.convert_to_numpy(quarters).reshape(len(some), -1))
        return np.concatenate(seen, 1)

    return in_batches(features, pictures, _AT_ONCE)
