"""Adds stages to trained networks, so that they can handle larger pictures.

At first a new stage only passes pictures on: the generator enlarges its former picture and the
discriminator halves its input. Training therefore continues from enlarged pictures instead of
noise. (Karras et al. 2018, arXiv 1710.10196, fade in their new stages instead.)
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

_SLOPE = 0.2  # slope of the discriminator's LeakyReLU below 0


def grow(
    arrays: Mapping[str, NDArray],
    channels: Mapping[int, int],
    mean: NDArray,
    deviation: NDArray,
    random: np.random.Generator,
) -> dict[str, NDArray]:
    """Adds one stage to both networks of a start.

    ReLU passes only positive values, so each colour takes two channels of the new stage: one for
    its positive and one for its negative values. The other channels are random and not read yet.

    Args:
        arrays: as in `start.Start`; the pictures of these networks have the side x{last}.
        channels: number of channels of the generator's stages, keyed by their side as a multiple
            of the base, such as {16: 24, 32: 16}; from x{last} on at least 2 for each colour.
        mean: mean of each colour before the tanh, (C,).
        deviation: standard deviation of each colour before the tanh, (C,).

    Returns:
        The arrays of the larger networks, as in `start.Start`.
    """
    last = last_stage(arrays)
    arrays = dict(arrays)
    to_colours = arrays.pop(f"generator/x{last}/pictures/kernel")  # (3, 3, c, C)
    arrays.pop(f"generator/x{last}/pictures/bias")
    count = to_colours.shape[-1]
    signs = np.concatenate([np.eye(count), -np.eye(count)], 1)  # (C, 2 C)

    # BatchNorm removes each channel's mean and deviation, so its own weights must restore them.
    others = channels[2 * last] - 2 * count
    from_colours = np.zeros((3, 3, channels[2 * last], count))
    from_colours[1, 1, : 2 * count] = signs.T
    kernels = [to_colours @ signs, _random_kernel(random, 3, to_colours.shape[2], others)]
    arrays |= {
        f"generator/x{2 * last}/kernel": np.concatenate(kernels, -1),
        f"generator/x{2 * last}/gamma": np.concatenate([deviation, deviation, np.ones(others)]),
        f"generator/x{2 * last}/beta": np.concatenate([mean, -mean, np.zeros(others)]),
        f"generator/x{2 * last}/pictures/kernel": from_colours,
        f"generator/x{2 * last}/pictures/bias": np.zeros(count),
    }

    # LeakyReLU(x) - LeakyReLU(-x) is (1 + slope) x.
    others = channels[last] - 2 * count
    halved = np.zeros((4, 4, count, 2 * count))
    halved[1:3, 1:3] = signs / 4  # the mean of four pixels
    kernel = arrays.pop(f"discriminator/x{last // 2}/pictures/kernel")  # (4, 4, C, c)
    unread = np.zeros((4, 4, others, kernel.shape[-1]))
    kernels = [signs.T @ kernel / (1 + _SLOPE), unread]
    bias = arrays.pop(f"discriminator/x{last // 2}/pictures/bias")
    arrays |= {
        f"discriminator/x{last}/pictures/kernel": np.concatenate(
            [halved, _random_kernel(random, 4, count, others)], -1
        ),
        f"discriminator/x{last}/pictures/bias": np.zeros(channels[last]),
        f"discriminator/x{last // 2}/kernel": np.concatenate(kernels, 2),
        f"discriminator/x{last // 2}/bias": bias,
    }
    return arrays


def last_stage(names: Iterable[str]) -> int:
    """The side of the pictures as a multiple of the base, from the names of the arrays."""
    return max(int(name.split("/")[1][1:]) for name in names if name.startswith("generator/"))


def _random_kernel(random, side, inputs, outputs):
    """(side, side, inputs, outputs), as Keras draws them (Glorot & Bengio 2010)."""
    limit = (6 / (side**2 * (inputs + outputs))) ** 0.5 if outputs else 0
    return random.uniform(-limit, limit, (side, side, inputs, outputs))
