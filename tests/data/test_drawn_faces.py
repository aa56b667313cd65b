import numpy as np

from balanced_gan import draw_faces


def test_same_seed_same_faces_whatever_the_count():
    np.testing.assert_array_equal(draw_faces(32, 3, 5), draw_faces(32, 3, 3 + 2)[:5])
    np.testing.assert_array_equal(draw_faces(32, 3, 2), draw_faces(32, 3, 5)[:2])
    assert not np.array_equal(draw_faces(32, 3, 2, seed=1), draw_faces(32, 3, 2))


def test_faces_differ_and_fill_the_range():
    faces = draw_faces(64, 3, 30)
    assert faces.shape == (30, 64, 64, 3) and faces.dtype == np.uint8
    pairs = [abs(np.int16(faces[i]) - faces[i + 1]).mean() for i in range(29)]
    assert min(pairs) > 10  # of 255
    assert faces.min() < 30 and faces.max() > 225


def test_grey():
    assert draw_faces(48, 1, 2).shape == (2, 48, 48, 1)
