"""More stages for larger pictures: networks that know pictures of one size learn the next.

A new stage at first only passes pictures on: the generator enlarges what it made before, the
discriminator halves what it is shown. So training goes on from enlarged pictures, and not from
noise before networks that expect pictures. (Karras et al. 2018, arXiv 1710.10196, fade their new
stages in instead.)
"""

import numpy as np

_SLOPE = 0.2  # of the discriminator's LeakyReLU below 0


def grow(arrays, channels, mean, deviation, random):
    """The arrays of a start with one stage more on both sides.

    Each colour takes two of a new stage's channels, one for its positive and one for its negative
    values, as ReLU lets only positive ones through. The other channels are random, and nothing
    reads them yet.

    Args:
        arrays: as in `start.Start`, of networks whose pictures have the side x{last}.
        channels: of the generator's stages, a dict from times the base to a number, {16: 24,
            32: 16}; 2 a colour at least from x{last} on.
        mean: of each colour before the tanh, (C,).
        deviation: the same, its standard deviation.
        random: a `numpy.random.Generator`.

    Returns:
        A dict of the same kind.
    """
    last = last_stage(arrays)
    arrays = dict(arrays)
    to_colours = arrays.pop(f"generator/x{last}/pictures/kernel")  # (3, 3, c, C)
    arrays.pop(f"generator/x{last}/pictures/bias")
    count = to_colours.shape[-1]
    signs = np.concatenate([np.eye(count), -np.eye(count)], 1)  # (C, 2 C)

    # BatchNorm takes away each channel's mean and deviation, so it has to give them.
    others = channels[2 * last] - 2 * count
    from_colours = np.zeros((3, 3, channels[2 * last], count))
    from_colours[1, 1, : 2 * count] = signs.T
    kernel = [to_colours @ signs, _random_kernel(random, 3, to_colours.shape[2], others)]
    arrays |= {
        f"generator/x{2 * last}/kernel": np.concatenate(kernel, -1),
        f"generator/x{2 * last}/gamma": np.concatenate([deviation, deviation, np.ones(others)]),
        f"generator/x{2 * last}/beta": np.concatenate([mean, -mean, np.zeros(others)]),
        f"generator/x{2 * last}/pictures/kernel": from_colours,
        f"generator/x{2 * last}/pictures/bias": np.zeros(count),
    }

    # LeakyReLU of a value, less that of its negative, is 1 + slope times the value.
    others = channels[last] - 2 * count
    halved = np.zeros((4, 4, count, 2 * count))
    halved[1:3, 1:3] = signs / 4  # the mean of four pixels
    kernel = arrays.pop(f"discriminator/x{last // 2}/pictures/kernel")  # (4, 4, C, c)
    unread = np.zeros((4, 4, others, kernel.shape[-1]))
    kernel = [signs.T @ kernel / (1 + _SLOPE), unread]
    bias = arrays.pop(f"discriminator/x{last // 2}/pictures/bias")
    arrays |= {
        f"discriminator/x{last}/pictures/kernel": np.concatenate(
            [halved, _random_kernel(random, 4, count, others)], -1
        ),
        f"discriminator/x{last}/pictures/bias": np.zeros(channels[last]),
        f"discriminator/x{last // 2}/kernel": np.concatenate(kernel, 2),
        f"discriminator/x{last // 2}/bias": bias,
    }
    return arrays


def last_stage(names):
    """The side of the pictures in times the base, from the names of arrays."""
    return max(int(name.split("/")[1][1:]) for name in names if name.startswith("generator/"))


def _random_kernel(random, side, inputs, outputs):
    """(side, side, inputs, outputs), as Keras draws them (Glorot & Bengio 2010)."""
    limit = (6 / (side**2 * (inputs + outputs))) ** 0.5 if outputs else 0
    return random.uniform(-limit, limit, (side, side, inputs, outputs))
