import numpy as np

from balanced_gan.data.sine_curve import distance_and_coverage, points_on_curve


def test_points_lie_on_the_curve_and_all_over_it():
    points = points_on_curve(1024)
    assert points.shape == (1024, 2) and points.dtype == np.float32
    np.testing.assert_allclose(points[:, 1], np.sin(points[:, 0]), atol=1e-6)
    distance, bins = distance_and_coverage(points)
    assert distance < 0.002 and bins == 10
    np.testing.assert_array_equal(points, points_on_curve(1024))


def test_distance_and_coverage_of_what_is_known():
    # At the crest the nearest place of the curve is straight below or above.
    assert distance_and_coverage(np.array([[np.pi / 2, 1.5]]))[0] == np.float32(0.5)
    half = np.linspace(0.01, np.pi - 0.01, 50)
    assert distance_and_coverage(np.stack([half, np.sin(half)], 1))[1] == 5
    # Past its ends the curve does not go on.
    distance, bins = distance_and_coverage(np.array([[2 * np.pi + 1, 0.0], [-2.0, 0.0]]))
    np.testing.assert_allclose(distance, 1.5, atol=1e-6)
    assert bins == 0
