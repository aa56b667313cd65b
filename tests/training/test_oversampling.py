import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from balanced_gan.data.batches import batches
from balanced_gan.data.cache import StoredPictures
from balanced_gan.output.images import to_uint8
from balanced_gan.training import oversampling
from balanced_gan.training.oversampling import sampling_weights


@pytest.fixture(scope="module")
def pictures():
    """39 grey pictures with a little noise, and one, the last, that is striped."""
    random = np.random.default_rng(0)
    found = random.integers(110, 140, (40, 32, 32, 3), np.uint8)
    found[-1, :, ::4] = 255
    return found


def test_unusual_pictures_weigh_more(pictures):
    weights = sampling_weights(pictures, 2)
    assert weights[-1] > 1.3 > weights[:-1].max()
    assert weights.mean() == pytest.approx(1)
    assert sampling_weights(pictures, 4)[-1] > weights[-1]


def test_no_picture_rules_and_none_vanishes(pictures):
    weights = sampling_weights(pictures, 10)
    assert weights.max() / np.median(weights) == pytest.approx(4, rel=1e-3)
    copies = np.concatenate([pictures, pictures[:1].repeat(8, 0)])
    weights = sampling_weights(copies, 2)
    assert weights[-8:] == pytest.approx(0.25 * np.median(weights[:-8]), rel=0.05)


@pytest.mark.parametrize("power", [0, 2])
def test_nothing_to_tell_apart_means_equal_weights(pictures, power):
    points = np.zeros((50, 2), np.float32)
    for some in (points, pictures[:1], pictures[:5], pictures[:1].repeat(20, 0)):
        assert (sampling_weights(some, power) == 1).all()
    assert (sampling_weights(pictures, 0) == 1).all()


def test_pictures_on_disk_weigh_the_same(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("balanced_gan.training.oversampling._AT_ONCE", 15)  # three parts
    (tmp_path / "pictures.raw").write_bytes(pictures.tobytes())
    stored = StoredPictures(tmp_path / "pictures.raw", pictures.shape)
    weights = sampling_weights(stored, 2)
    np.testing.assert_array_equal(weights, sampling_weights(pictures, 2))
    assert weights[-1] == weights.max()


def test_an_epoch_shows_pictures_by_their_weight(pictures, monkeypatch):
    monkeypatch.setattr("balanced_gan.data.batches.FULL_WEIGHT_AFTER", 400)  # ten epochs
    weights = np.full(40, 0.8)
    weights[7] = 8.8

    def shown(count, **where):
        dataset = batches(pictures, 4, seed=3, mirror=False, weights=weights, **where).take(count)
        return [to_uint8(picture).tobytes() for batch in dataset for picture in batch.numpy()]

    def counts(number, epochs):
        return [shown(10, first_batch=10 * at).count(pictures[number].tobytes()) for at in epochs]

    assert counts(7, [0]) == counts(0, [0]) == [1]  # at first all equally often
    assert counts(7, [5]) in ([4], [5])  # half of the way to 8.8
    often, seldom = counts(7, range(10, 60)), counts(0, range(10, 60))
    assert set(often) == {8, 9} and np.mean(often) == pytest.approx(8.8, abs=0.15)
    assert set(seldom) == {0, 1} and np.mean(seldom) == pytest.approx(0.8, abs=0.15)
    # A resumed run sees the rest of what an uninterrupted one would have seen.
    assert shown(123)[4 * 113 :] == shown(10, first_batch=113)


def test_memory_hardly_grows_with_the_number_of_pictures(faces, monkeypatch):
    monkeypatch.setattr(oversampling, "ThreadPoolExecutor", lambda: ThreadPoolExecutor(1))

    def peak(count):
        pictures = np.resize(faces, (count, *faces.shape[1:]))
        tracemalloc.start()
        sampling_weights(pictures, 3.0)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    # All distances of 2,500 pictures more would be 10 MB.
    assert peak(3000) < peak(500) + 2e6
