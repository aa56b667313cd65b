import keras
import numpy as np
import pytest
import tensorflow as tf

from balanced_gan.model import augment as room
from balanced_gan.model.augment import augment, cutout, shift


def drawing(seed):
    """Draws random numbers as a model of that seed does."""
    generator = keras.random.SeedGenerator(seed)
    return lambda sampler, *args: sampler(*args, seed=generator)


@pytest.fixture
def draw():
    return drawing(3)


@pytest.mark.parametrize("channels", [1, 3])
def test_keeps_shape_and_type_and_differs_per_picture(draw, channels):
    pictures = np.tile(np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, channels)), (8, 1, 1, 1))
    result = np.asarray(augment(pictures.astype("float32"), draw))
    assert result.shape == (8, 32, 32, channels) and result.dtype == np.float32
    assert all(not np.array_equal(result[0], other) for other in result[1:])


def test_seed_repeats_and_advances(face_batch):
    first = [np.asarray(augment(face_batch, drawing(7))) for _ in range(2)]
    np.testing.assert_array_equal(*first)
    draw = drawing(7)
    assert not np.array_equal(augment(face_batch, draw), augment(face_batch, draw))


def test_shift_moves_a_dot_by_at_most_an_eighth(draw):
    dots = np.zeros((400, 32, 32, 1), "float32")
    dots[:, 16, 16] = 1
    moved = np.asarray(shift(dots, draw))[..., 0]
    np.testing.assert_array_equal(moved.sum(axis=(1, 2)), 1)  # moved, not blurred
    rows, columns = np.argmax(moved.sum(2), axis=1) - 16, np.argmax(moved.sum(1), axis=1) - 16
    for moves in (rows, columns):
        assert set(moves) == set(range(-4, 5))


def test_cutout_erases_at_most_a_quarter_and_leaves_the_rest(draw):
    ones = np.ones((200, 32, 32, 3), "float32")
    share = 1 - np.asarray(cutout(ones, draw)).mean(axis=(1, 2, 3))
    assert share.max() == pytest.approx(room.CUTOUT**2, abs=0.01)
    assert 0 < share.min() < 0.1  # the square's centre may lie in a corner


def test_gradient_reaches_every_picture(draw, face_batch):
    pictures = tf.constant(face_batch)
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        total = tf.reduce_sum(augment(pictures, draw) ** 2)
    gradient = tape.gradient(total, pictures).numpy()
    assert np.isfinite(gradient).all() and (abs(gradient).sum(axis=(1, 2, 3)) > 0).all()
