"""Differentiable augmentation: what lets a GAN learn from a few hundred pictures.

Real and generated pictures pass through the same random changes before the
discriminator sees them, so it cannot learn the training set by heart, and because each
change is differentiable the generator still gets its gradient (Zhao et al. 2020,
"Differentiable Augmentation for Data-Efficient GAN Training", whose translation and cutout
these are). Their third change, of colours, is left out: it cost more than it gave, fewer
faces and falser colours after the same number of batches.
"""

import keras
from keras import ops

from balanced_gan.distribute import draw

SHIFT = 1 / 8  # of the side, in each direction
CUTOUT = 1 / 2  # side of the erased square, as a share of the picture's


def augment(pictures, seed):
    """Shifts and partly erases each picture at random.

    Args:
        pictures: (B, S, S, C) floats in [-1, 1].
        seed: a `keras.random.SeedGenerator`; draws advance its state.

    Returns:
        (B, S, S, C) of the same dtype and range.
    """
    return cutout(shift(pictures, seed), seed)


def shift(pictures, seed):
    """Moves each picture by whole pixels; zero (mid-grey) comes in where it leaves.

    One product with a 0/1 matrix per axis: 3 MFLOP a picture at 64x64, where gathering
    pixels one by one would cost a scatter in the backward pass.

    Args and returns as in `augment`.
    """
    rows = _shift_matrices(pictures, seed)  # (B, S, S)
    columns = _shift_matrices(pictures, seed)
    size, channels = pictures.shape[1], pictures.shape[3]
    flat = ops.reshape(pictures, (-1, size, size * channels))
    moved = ops.reshape(ops.matmul(rows, flat), (-1, size, size, channels))
    return ops.einsum("bij,bhjc->bhic", columns, moved)


def cutout(pictures, seed):
    """Sets a random square to zero (mid-grey); its centre may lie anywhere in the picture.

    Args and returns as in `augment`.
    """
    batch, size = ops.shape(pictures)[0], pictures.shape[1]
    positions = ops.arange(size, dtype="float32")

    def within_the_square():
        centres = draw(keras.random.uniform, (batch, 1, 1), 0, size, seed=seed)
        return ops.abs(positions - centres) < size * CUTOUT / 2  # (B, 1, S)

    rows, columns = ops.transpose(within_the_square(), (0, 2, 1)), within_the_square()
    erased = ops.logical_and(rows, columns)  # (B, S, S)
    return ops.where(erased[..., None], ops.zeros_like(pictures), pictures)


def _shift_matrices(pictures, seed):
    """(B, S, S) matrices with ones on a random off-diagonal: row i takes from i + shift."""
    size = pictures.shape[1]
    most = int(size * SHIFT)
    shape = (ops.shape(pictures)[0], 1, 1)
    shift = draw(keras.random.randint, shape, -most, most + 1, seed=seed)
    index = ops.arange(size, dtype="int32")
    return ops.cast(index[None, :] == index[:, None] + shift, pictures.dtype)
