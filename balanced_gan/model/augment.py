"""Differentiable augmentation, which lets a GAN learn from a few hundred pictures.

The discriminator sees real and generated pictures through the same random changes, so it cannot
memorise the training set. Each change is differentiable, so the generator still gets its gradient.
Shift and cutout are the translation and cutout of Zhao et al. 2020, "Differentiable Augmentation
for Data-Efficient GAN Training". Their colour changes are left out: after the same number of steps
they gave fewer faces and falser colours.
"""

from collections.abc import Callable

import keras
import tensorflow as tf
from keras import ops

SHIFT = 1 / 8  # largest shift in each direction, as a share of the side
CUTOUT = 1 / 2  # side of the erased square, as a share of the picture's side


def augment(pictures: tf.Tensor, draw: Callable[..., tf.Tensor]) -> tf.Tensor:
    """Shifts each picture at random and erases a random part of it.

    Args:
        pictures: (B, S, S, C) floats in [-1, 1].
        draw: called with a sampler of `keras.random`, a shape and the sampler's other arguments;
            returns random numbers. See `BalancedGAN.draw`.

    Returns:
        (B, S, S, C) of the same dtype and range.
    """
    return cutout(shift(pictures, draw), draw)


def shift(pictures: tf.Tensor, draw: Callable[..., tf.Tensor]) -> tf.Tensor:
    """Moves each picture by whole pixels and fills the uncovered edge with zero (mid-grey).

    This takes one product with a 0/1 matrix per axis: 3 MFLOP a picture at 64x64. Gathering
    single pixels would cost a scatter in the backward pass.

    Arguments and result are those of `augment`.
    """
    rows = _shift_matrices(pictures, draw)  # (B, S, S)
    columns = _shift_matrices(pictures, draw)
    size, channels = pictures.shape[1], pictures.shape[3]
    flat = ops.reshape(pictures, (-1, size, size * channels))
    moved = ops.reshape(ops.matmul(rows, flat), (-1, size, size, channels))
    return ops.einsum("bij,bhjc->bhic", columns, moved)


def cutout(pictures: tf.Tensor, draw: Callable[..., tf.Tensor]) -> tf.Tensor:
    """Sets a random square to zero (mid-grey). Its centre may lie anywhere in the picture.

    Arguments and result are those of `augment`.
    """
    batch, size = ops.shape(pictures)[0], pictures.shape[1]
    positions = ops.arange(size, dtype="float32")

    def within_the_square():
        centres = draw(keras.random.uniform, (batch, 1, 1), 0, size)
        return ops.abs(positions - centres) < size * CUTOUT / 2  # (B, 1, S)

    rows, columns = ops.transpose(within_the_square(), (0, 2, 1)), within_the_square()
    erased = ops.logical_and(rows, columns)  # (B, S, S)
    return ops.where(erased[..., None], ops.zeros_like(pictures), pictures)


def _shift_matrices(pictures, draw):
    """(B, S, S) matrices with ones on a random off-diagonal: row i takes from i + shift."""
    size = pictures.shape[1]
    most = int(size * SHIFT)
    shape = (ops.shape(pictures)[0], 1, 1)
    shift = draw(keras.random.randint, shape, -most, most + 1)
    index = ops.arange(size, dtype="int32")
    return ops.cast(index[None, :] == index[:, None] + shift, pictures.dtype)
