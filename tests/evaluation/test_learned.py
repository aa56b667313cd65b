"""What two trained networks see: more the worse pictures are, and nothing in real ones."""

import cv2
import keras
import numpy as np
import pytest

from balanced_gan.data.drawn_faces import draw_faces
from balanced_gan.errors import InputError
from balanced_gan.evaluation import learned
from balanced_gan.evaluation.learned import learned_distance, learned_features
from balanced_gan.evaluation.metrics import standardised
from balanced_gan.model import build
from balanced_gan.model.start import apply_start, load_shipped
from balanced_gan.settings import Settings


@pytest.fixture(scope="module")
def faces():
    return draw_faces(64, 3, 240)


def distance(pictures, real):
    return learned_distance(learned_features(pictures), learned_features(real))


def test_worse_pictures_are_farther_from_real_ones(faces):
    random = np.random.default_rng(0)
    made, real = faces[:120], faces[120:]
    blurred = {
        sigma: np.stack([cv2.GaussianBlur(picture, (0, 0), sigma) for picture in made])
        for sigma in (0.7, 1.5, 3)
    }
    noisy = np.uint8(np.clip(made + random.normal(0, 30, made.shape), 0, 255))
    alike = np.repeat(made[:2], 60, 0)
    good = distance(made, real)
    assert abs(good) < 0.05
    for bad in (blurred[1.5], noisy, alike, random.integers(0, 256, made.shape, np.uint8)):
        assert distance(bad, real) > 0.1
    assert good < distance(blurred[0.7], real) < distance(blurred[1.5], real)
    assert distance(blurred[1.5], real) < distance(blurred[3], real)


def test_the_first_are_the_shipped_discriminators_own(faces):
    gan = build.build_gan(Settings(precision="float32"))
    apply_start(gan, load_shipped("neutral"), None)
    convolutions = [layer.output for layer in gan.discriminator.layers if "leaky" in layer.name]

    stages = keras.Model(gan.discriminator.input, convolutions)
    last = np.asarray(stages(np.float32(faces[:3]) / 127.5 - 1)[-1])  # (3, 4, 4, C)
    quarters = last.reshape(3, 2, 2, 2, 2, -1).mean((2, 4)).reshape(3, -1)
    of_discriminator = learned_features(faces[:3])[:, :-256]
    np.testing.assert_allclose(
        of_discriminator[:, -quarters.shape[1] :], quarters, rtol=1e-3, atol=1e-3
    )


def test_each_network_has_its_share_of_the_inner_products(faces):
    features = learned_features(faces[:60])
    ours, real = features[:30], features[30:]
    a, b = standardised(ours, real)

    def kernel(x, y):
        of_perceptual = x[:, -256:] @ y[:, -256:].T / 256
        of_discriminator = x[:, :-256] @ y[:, :-256].T / (x.shape[1] - 256)
        return (0.7 * of_discriminator + 0.3 * of_perceptual + 1) ** 3

    pairs = ~np.eye(30, dtype=bool)
    expected = kernel(a, a)[pairs].mean() + kernel(b, b)[pairs].mean() - 2 * kernel(a, b).mean()
    assert learned_distance(ours, real) == pytest.approx(expected, rel=1e-3)


def test_the_perceptual_network_knows_faces_by_what_they_show(faces):
    """Not by how dark they are or where they stand: a moved, darker face is nearer to itself than
    to another."""
    moved = np.uint8(np.roll(faces[:40], (3, -3), (1, 2)) * 0.8)
    pair = [learned_features(some)[:, -256:] for some in (faces[:40], moved)]
    mine, theirs = (each - each.mean(0) for each in pair)
    apart = np.linalg.norm(mine[:, None] - theirs[None], axis=2)
    assert (apart.argmin(1) == np.arange(40)).mean() > 0.8


def test_damaged_weights_are_named(faces, monkeypatch, tmp_path):
    file = tmp_path / "perceptual.npz"
    file.write_bytes(b"PK\x03\x04")
    monkeypatch.setattr(learned, "PERCEPTUAL", file)
    with pytest.raises(InputError, match=r"own perceptual\.npz cannot be read"):
        learned_features(faces[:2])


def test_other_sizes_and_grey(faces):
    enlarged = np.stack([cv2.resize(picture, (128, 128)) for picture in faces[:40]])
    grey = faces[:40].mean(3, keepdims=True).astype(np.uint8)
    assert learned_features(enlarged).shape == learned_features(grey).shape
    np.testing.assert_array_equal(learned_features(grey), learned_features(np.repeat(grey, 3, 3)))
