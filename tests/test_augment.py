import keras
import numpy as np
import pytest
import tensorflow as tf

from balanced_gan import augment as room
from balanced_gan.augment import augment, cutout, shift


@pytest.fixture
def seed():
    return keras.random.SeedGenerator(3)


@pytest.mark.parametrize("channels", [1, 3])
def test_keeps_shape_and_type_and_differs_per_picture(seed, channels):
    pictures = np.tile(np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, channels)), (8, 1, 1, 1))
    result = np.asarray(augment(pictures.astype("float32"), seed))
    assert result.shape == (8, 32, 32, channels) and result.dtype == np.float32
    assert all(not np.array_equal(result[0], other) for other in result[1:])


def test_seed_repeats_and_advances(face_batch):
    first = [np.asarray(augment(face_batch, keras.random.SeedGenerator(7))) for _ in range(2)]
    np.testing.assert_array_equal(*first)
    seed = keras.random.SeedGenerator(7)
    assert not np.array_equal(augment(face_batch, seed), augment(face_batch, seed))


def test_shift_moves_a_dot_by_at_most_an_eighth(seed):
    dots = np.zeros((400, 32, 32, 1), "float32")
    dots[:, 16, 16] = 1
    moved = np.asarray(shift(dots, seed))[..., 0]
    np.testing.assert_array_equal(moved.sum(axis=(1, 2)), 1)  # moved, not blurred
    rows, columns = np.argmax(moved.sum(2), axis=1) - 16, np.argmax(moved.sum(1), axis=1) - 16
    for moves in (rows, columns):
        assert set(moves) == set(range(-4, 5))


def test_cutout_erases_at_most_a_quarter_and_leaves_the_rest(seed):
    ones = np.ones((200, 32, 32, 3), "float32")
    share = 1 - np.asarray(cutout(ones, seed)).mean(axis=(1, 2, 3))
    assert share.max() == pytest.approx(room.CUTOUT**2, abs=0.01)
    assert 0 < share.min() < 0.1  # the square's centre may lie in a corner


def test_gradient_reaches_every_picture(seed, face_batch):
    pictures = tf.constant(face_batch)
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        total = tf.reduce_sum(augment(pictures, seed) ** 2)
    gradient = tape.gradient(total, pictures).numpy()
    assert np.isfinite(gradient).all() and (abs(gradient).sum(axis=(1, 2, 3)) > 0).all()
