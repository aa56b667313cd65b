import keras
import numpy as np
import pytest

from balanced_gan.errors import InputError
from balanced_gan.evaluation.features import inception, shape_and_colour
from balanced_gan.evaluation.metrics import distances


@pytest.mark.parametrize("shape", [(3, 64, 64, 3), (3, 32, 32, 3), (3, 112, 112, 3)])
def test_shape_and_colour_gives_finite_rows_for_any_size(shape):
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    features = shape_and_colour(pictures)
    assert features.shape == (3, 1764 + 64 * 3)
    assert np.isfinite(features).all()


def test_shape_and_colour_of_grey_and_of_empty_pictures():
    features = shape_and_colour(np.zeros((2, 64, 64, 1), np.uint8))
    assert features.shape == (2, 1764 + 64)
    assert np.isfinite(features).all()


def test_alike_pictures_are_near(faces):
    shifted = np.roll(faces, 1, axis=2)
    apart = distances(shape_and_colour(shifted), shape_and_colour(faces))
    assert (apart.argmin(1) == np.arange(len(faces))).mean() > 0.9


def test_inception_features_of_colour_and_grey(tmp_path, faces):
    # Untrained weights: the right shapes are all that loading needs.
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(299, 299, 3), pooling="avg"
    )
    file = tmp_path / "w.weights.h5"
    network.save_weights(file)
    features = inception(str(file))
    rows = features(faces[:1]), features(faces[:1, :, :, :1])
    assert rows[0].shape == rows[1].shape == (1, 2048)
    assert not np.allclose(*rows)


def test_unusable_inception_weights_are_named(tmp_path):
    file = tmp_path / "w.h5"
    file.write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"No InceptionV3 weights from the file .*w\.h5"):
        inception(str(file))


def test_without_a_network_one_sentence_says_so(monkeypatch):
    def refuse(*args, **kwargs):
        raise Exception("URL fetch failure on https://example.org: no network")

    monkeypatch.setattr(keras.utils, "get_file", refuse)
    monkeypatch.setattr("keras.src.applications.inception_v3.file_utils.get_file", refuse)
    with pytest.raises(InputError, match=r"from Keras's download: .*no network"):
        inception("download")
