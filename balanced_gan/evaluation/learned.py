"""How far pictures are from real ones in the eyes of two trained networks.

One is the discriminator of the start `neutral`, which sees edges and textures. The other is small
and learned to see what EfficientNet-Lite0 sees, a network trained on photographs (README.md beside
this file). Together they rank runs much as that network does, and more often judge the later of two
moments of a run to be the better (benchmarks/quality/ranks.py). Both come with this package, so
nothing is downloaded.
"""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from balanced_gan.evaluation.metrics import Features, kernel_distance, standardised
from balanced_gan.model.start import load_arrays, load_shipped
from balanced_gan.output.images import in_batches, resized_rgb

PERCEPTUAL = Path(__file__).with_name("perceptual.npz")  # of benchmarks/quality/distil.py
_START = "neutral"  # of ten choices of a discriminator's features the closest to KID
_STAGES = ("x8/pictures", "x4", "x2", "x1")  # the names of its convolutions in a start
_SIZE = 64  # side in pixels of the pictures that both were trained on
_AT_ONCE = 64  # pictures in one call

_PERCEIVED = 256  # features of the second network; they come last
# Its part in the distance. Without it, the rank correlation with KID over all kinds of pictures is
# 0.82 instead of 0.90; with 0.5, the later moment is nearer in 0.92 of the pairs instead of 0.94.
_PERCEIVED_SHARE = 0.3


def learned_features(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Computes what both networks see, (N, F): the output of each stage of the discriminator,
    averaged over quarters, then the 256 outputs of the perceptual network.

    Args:
        pictures: (N, S, S, C), C is 1 or 3; resized to 64x64.

    Raises:
        InputError: if the file of one of the networks is damaged.
    """
    discriminator, perceptual = load_shipped(_START).arrays, load_arrays(PERCEPTUAL)

    def features(some: NDArray[np.uint8]) -> NDArray[np.float32]:
        x = resized_rgb(some, _SIZE, cv2.INTER_AREA).astype(np.float32) / 127.5 - 1
        both = [*_discriminated(x, discriminator), _perceived(x, perceptual)]
        return np.concatenate([ops.convert_to_numpy(each) for each in both], 1)

    return in_batches(features, pictures, _AT_ONCE)


def learned_distance(samples: Features, real: Features) -> float:
    """The kernel distance ("mmd") of features from `learned_features`, (N, F) and (M, F).

    The kernel is that of `kernel_distance`. In its inner products, the perceptual network's
    features count 0.3 in all and the discriminator's 0.7, although the latter are many more.
    """
    count = real.shape[1]
    others = count - _PERCEIVED
    shares = [(1 - _PERCEIVED_SHARE) / others, _PERCEIVED_SHARE / _PERCEIVED]
    weights = np.sqrt(count * np.repeat(shares, [others, _PERCEIVED]))
    ours, theirs = standardised(samples, real)
    return kernel_distance(ours * weights, theirs * weights)


def _discriminated(x: KerasTensor, arrays: Mapping[str, NDArray]) -> list[KerasTensor]:
    """Each stage of the discriminator, averaged over quarters, (B, F)."""
    seen = []
    for stage in _STAGES:
        x = ops.leaky_relu(_convolved(x, arrays, f"discriminator/{stage}", strides=2), 0.2)
        seen.append(ops.reshape(ops.average_pool(x, x.shape[1] // 2), (len(x), -1)))
    return seen


def _perceived(x: KerasTensor, arrays: Mapping[str, NDArray]) -> KerasTensor:
    """The outputs of the perceptual network: four residual stages at half the side each (He et al.
    2016, arXiv 1512.03385), (B, 256)."""
    for stage in range(4):
        x = ops.relu(_convolved(x, arrays, f"{stage}/down", strides=2))
        inner = ops.relu(_convolved(x, arrays, f"{stage}/first"))
        x = ops.relu(x + _convolved(inner, arrays, f"{stage}/second"))
    return ops.mean(x, (1, 2)) @ arrays["head/kernel"] + arrays["head/bias"]


def _convolved(
    x: KerasTensor, arrays: Mapping[str, NDArray], name: str, strides: int = 1
) -> KerasTensor:
    kernel, bias = arrays[f"{name}/kernel"], arrays[f"{name}/bias"]
    return ops.conv(x, kernel, strides=strides, padding="same") + bias
