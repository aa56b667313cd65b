import numpy as np
import pytest

from balanced_gan.model.losses import discriminator_loss, generator_loss, r1_penalty

LN2 = np.log(2)


def test_both_are_ln_2_when_nobody_can_tell():
    zeros = np.zeros((4, 1), "float32")
    assert float(generator_loss(zeros)) == pytest.approx(LN2)
    assert float(discriminator_loss(zeros, zeros)) == pytest.approx(LN2)


def test_a_discriminator_that_is_right_has_the_lower_loss():
    real, generated = np.full((4, 1), 2, "float32"), np.full((4, 1), -3, "float32")
    # -log sigmoid(2) = 0.1269, -log sigmoid(3) = 0.0486, -log sigmoid(-3) = 3.0486
    assert float(discriminator_loss(real, generated)) == pytest.approx((0.1269 + 0.0486) / 2, 1e-3)
    assert float(generator_loss(generated)) == pytest.approx(3.0486, 1e-4)


def test_large_logits_stay_finite():
    huge = np.full((4, 1), 1e4, "float32")
    assert float(generator_loss(-huge)) == pytest.approx(1e4)
    assert float(discriminator_loss(-huge, huge)) == pytest.approx(1e4)


def test_label_noise_makes_certainty_cost():
    sure, unsure = np.full((4, 1), 10.0, "float32"), np.full((4, 1), 2.0, "float32")
    assert discriminator_loss(sure, -sure) < discriminator_loss(unsure, -unsure)
    assert discriminator_loss(sure, -sure, 0.2) > discriminator_loss(unsure, -unsure, 0.2)
    # The best answer is the logit of the target itself, and costs its entropy.
    best = np.full((4, 1), np.log(0.8 / 0.2), "float32")
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    np.testing.assert_allclose(discriminator_loss(best, -best, 0.2), entropy, rtol=1e-5)


def test_r1_penalty_is_r1_at_64_pixels_and_the_same_for_the_same_change_at_any_size():
    random = np.random.default_rng(0)
    gradients = random.standard_normal((5, 64, 64, 3)).astype("float32")
    theirs = 0.5 * np.mean(np.sum(gradients**2, axis=(1, 2, 3)))
    assert float(r1_penalty(gradients)) == pytest.approx(theirs, rel=1e-5)
    # A logit that is the mean of a picture's pixels, times 7: as steep at any size.
    flat = [
        float(r1_penalty(np.full((2, size, size, 1), 7 / size**2, "float32")))
        for size in (32, 64, 128)
    ]
    assert flat == pytest.approx([0.5 * 7**2 / 64**2] * 3, rel=1e-5)
    assert float(r1_penalty(np.float32([[3, 4], [0, 0]]))) == pytest.approx(0.25 * 25)
