"""Differentiable augmentation: what lets a GAN learn from a few hundred pictures.

Real and generated pictures pass through the same random changes before the
discriminator sees them, so it cannot learn the training set by heart, and because each
change is differentiable the generator still gets its gradient (Zhao et al. 2020,
"Differentiable Augmentation for Data-Efficient GAN Training", whose strengths we keep).
"""

import keras
from keras import ops

BRIGHTNESS = 0.5  # added to all channels, +- this, on pictures in [-1, 1]
SATURATION = (0.0, 2.0)  # factor on the distance from the grey of each pixel
CONTRAST = (0.5, 1.5)  # factor on the distance from the mean of the picture
SHIFT = 1 / 8  # of the side, in each direction
CUTOUT = 1 / 2  # side of the erased square, as a share of the picture's


def augment(pictures, seed):
    """Recolours, shifts and partly erases each picture at random.

    Args:
        pictures: (B, S, S, C) floats in [-1, 1].
        seed: a `keras.random.SeedGenerator`; draws advance its state.

    Returns:
        (B, S, S, C) of the same dtype; brightness may carry values past [-1, 1].
    """
    return cutout(shift(recolour(pictures, seed), seed), seed)


def recolour(pictures, seed):
    """Random brightness, saturation and contrast, one draw of each a picture.

    Args and returns as in `augment`.
    """
    brightness = _draw(pictures, seed, -BRIGHTNESS, BRIGHTNESS)
    saturation = _draw(pictures, seed, *SATURATION)
    contrast = _draw(pictures, seed, *CONTRAST)
    # Brightness moves grey and mean alike, so it can be added at the end, scaled by contrast.
    mean = ops.mean(pictures, axis=(1, 2, 3), keepdims=True)
    grey = ops.mean(pictures, axis=3, keepdims=True)
    saturated = grey + (pictures - grey) * saturation
    return mean + (saturated - mean) * contrast + brightness


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
    size = pictures.shape[1]
    inside = [
        ops.abs(ops.arange(size, dtype="float32") - _draw(pictures, seed, 0.0, float(size))[..., 0])
        < size * CUTOUT / 2
        for _axis in range(2)
    ]  # 2 x (B, 1, S)
    erased = ops.logical_and(ops.transpose(inside[0], (0, 2, 1)), inside[1])  # (B, S, S)
    return ops.where(erased[..., None], ops.zeros_like(pictures), pictures)


def _draw(pictures, seed, low, high):
    """One uniform float a picture, shaped (B, 1, 1, 1), in the pictures' dtype."""
    shape = (ops.shape(pictures)[0], 1, 1, 1)
    return ops.cast(keras.random.uniform(shape, low, high, seed=seed), pictures.dtype)


def _shift_matrices(pictures, seed):
    """(B, S, S) matrices with ones on a random off-diagonal: row i takes from i + shift."""
    size = pictures.shape[1]
    most = int(size * SHIFT)
    shape = (ops.shape(pictures)[0], 1, 1)
    shift = keras.random.randint(shape, -most, most + 1, seed=seed)
    index = ops.arange(size, dtype="int32")
    return ops.cast(index[None, :] == index[:, None] + shift, pictures.dtype)
