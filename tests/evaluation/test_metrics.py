"""Each metric on cases whose answer is known."""

import tracemalloc

import cv2
import numpy as np
import pytest

from balanced_gan.data.drawn_faces import draw_faces
from balanced_gan.evaluation import metrics
from balanced_gan.evaluation.features import shape_and_colour


@pytest.fixture(scope="module")
def pictures():
    """240 drawn faces, uint8 (240, 64, 64, 3): half of them to train on, half held out."""
    return draw_faces(64, 3, 240)


@pytest.fixture(scope="module")
def cases(pictures):
    """Sets of pictures by name; `held_out` is what each is compared with."""
    training = pictures[:120]
    random = np.random.default_rng(0)
    return {
        "training": training,
        "copies": training[random.integers(0, 120, 120)],
        "one": np.repeat(training[:1], 120, 0),
        "three": np.tile(training[:3], (40, 1, 1, 1)),
        "noise": random.integers(0, 256, training.shape, np.uint8),
        "blurred": np.stack([cv2.GaussianBlur(picture, (0, 0), 2) for picture in training]),
        "pale": np.uint8(128 + (np.int16(training) - 128) // 2),
        "mirrored": training[:, :, ::-1],
        "grey": np.repeat(training.mean(3, keepdims=True).astype(np.uint8), 3, 3),
    }


@pytest.fixture(scope="module")
def features(cases, pictures):
    sets = {name: shape_and_colour(case) for name, case in cases.items()}
    return sets | {"held_out": shape_and_colour(pictures[120:])}


@pytest.fixture(scope="module")
def swd(cases, pictures):
    return {name: metrics.sliced_wasserstein(case, pictures[120:]) for name, case in cases.items()}


@pytest.mark.parametrize("case", ["one", "three", "noise", "blurred", "pale", "grey"])
def test_swd_tells_bad_pictures_from_real_ones(swd, case):
    assert np.mean(swd[case]) > 2 * np.mean(swd["training"])


def test_swd_takes_no_more_memory_for_more_pictures():
    def peak(count):
        pictures = np.zeros((count, 128, 128, 3), np.uint8)
        tracemalloc.start()
        metrics.sliced_wasserstein(pictures, pictures)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    # Their pyramids would be 47 MiB more.
    assert peak(100) < peak(2) + 2**22


def test_swd_sees_blur_most_on_the_finest_level_and_takes_mirrored_pictures_for_real(swd):
    ratios = np.divide(swd["blurred"], swd["training"])
    assert ratios[0] > ratios[-1]
    assert np.mean(swd["mirrored"]) < 1.5 * np.mean(swd["training"])


def test_swd_of_a_set_with_itself_is_small_and_seeded(pictures):
    first, again, other = (
        metrics.sliced_wasserstein(pictures[:40], pictures[:40], seed) for seed in (0, 0, 1)
    )
    assert first == again != other
    # Not 0: each side draws patches of its own.
    assert max(first) < 80


def test_swd_has_a_level_for_each_halving_down_to_16_and_takes_grey_pictures(pictures):
    for size, levels in ((32, 2), (64, 3), (80, 3)):
        resized = np.stack([cv2.resize(picture, (size, size)) for picture in pictures[:30]])
        assert len(metrics.sliced_wasserstein(resized[:15], resized[15:])) == levels
    grey = pictures[:30, :, :, :1]
    assert len(metrics.sliced_wasserstein(grey[:15], grey[15:])) == 3


@pytest.mark.parametrize("distance", [metrics.kernel_distance, metrics.frechet_distance])
@pytest.mark.parametrize("case", ["one", "three", "noise", "blurred"])
def test_feature_distances_tell_bad_pictures_from_real_ones(features, distance, case):
    real = distance(features["training"], features["held_out"])
    assert distance(features[case], features["held_out"]) > real + 0.1 * abs(real)


def test_frechet_distance_of_known_normal_distributions():
    random = np.random.default_rng(0)
    a = random.normal(0, 1, (800, 3))
    b = random.normal([2, 0, 0], [1, 2, 3], (500, 3))
    # |difference of means|^2 + sum of (difference of deviations)^2
    assert metrics.frechet_distance(a, b) == pytest.approx(4 + 0 + 1 + 4, rel=0.1)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_kernel_distance_is_unbiased_for_few_pictures():
    random = np.random.default_rng(0)
    values = [
        metrics.kernel_distance(random.normal(size=(8, 4)), random.normal(size=(8, 4)))
        for _ in range(400)
    ]
    assert abs(np.mean(values)) < 3 * np.std(values) / 20


def test_a_feature_that_hardly_varies_does_not_outweigh_the_others():
    real = np.random.default_rng(0).normal(size=(500, 8)) * [1, 1, 1, 1, 1, 1, 0.02, 1e-4]
    samples = real + np.array([0, 0, 0, 0, 0, 0, 0.02, 0.01])
    scaled, of_real = metrics.standardised(samples, real)
    np.testing.assert_allclose(of_real[:, :7].std(0), 1, rtol=1e-3)  # these vary enough
    assert (scaled - of_real)[0, 6] == pytest.approx(1, rel=0.1)
    assert (scaled - of_real)[0, 7] == pytest.approx(1.3, rel=0.1)  # 100 deviations of its own


def test_precision_and_recall_part_quality_from_variety(features):
    def of(case):
        return metrics.precision_recall(features[case], features["held_out"])

    assert min(of("training")) > 0.5
    assert of("three")[1] == 0.0  # real-looking, but always the same
    assert of("noise") == (0.0, 0.0)


def test_density_and_coverage(features):
    def of(case):
        return metrics.density_coverage(features[case], features["held_out"])

    density, coverage = of("training")
    assert 0.7 < density < 1.4
    assert coverage > 0.8
    assert of("three")[1] < 0.3
    assert of("noise") == (0.0, 0.0)


def test_diversity_is_zero_for_one_picture_and_low_for_noise(features):
    assert metrics.diversity(features["one"]) == 0.0
    assert metrics.diversity(features["noise"]) < 0.7 * metrics.diversity(features["held_out"])
    assert metrics.diversity(features["blurred"]) > metrics.diversity(features["training"])
    assert metrics.diversity(features["training"]) == pytest.approx(
        metrics.diversity(features["held_out"]), rel=0.1
    )


def test_copies_are_found_and_unseen_pictures_are_none(features, pictures):
    training, held_out = features["training"], features["held_out"]
    for reference in (held_out, None):
        assert metrics.memorised(features["copies"], [training], reference) == 1.0
    # 5 % by definition where the same pictures set the limit, about so where others do
    assert metrics.memorised(held_out, [training], held_out) == pytest.approx(0.05, abs=0.01)
    assert metrics.memorised(held_out, [training]) < 0.2
    assert metrics.memorised(features["noise"], [training], held_out) == 0.0


def test_copies_of_mirrored_pictures_are_found_if_those_were_trained_on(features):
    sets = [features["training"], features["mirrored"]]
    assert metrics.memorised(features["mirrored"], sets, features["held_out"]) == 1.0


def test_nearest_names_the_picture(features):
    index, ratio = metrics.nearest(features["training"][5:9], features["training"])
    assert index.tolist() == [5, 6, 7, 8]
    assert ratio.max() < 1e-6
    own, ratio = metrics.nearest(features["training"], features["training"], own=True)
    assert (own != np.arange(120)).all()
    assert ratio.min() > 0.1
