import keras
import numpy as np
import pytest
import tensorflow as tf

from balanced_gan import BalancedGAN, build_discriminator, build_generator
from balanced_gan.gan import adam


def tiny_gan(**kwargs):
    keras.utils.set_random_seed(0)
    gan = BalancedGAN(
        build_generator(32, latent_dim=8, width=4), build_discriminator(32, width=4), **kwargs
    )
    gan.compile()
    return gan


def steps(gan, batch, count):
    """Trains on the same batch -> the logs, as floats."""
    step = tf.function(gan.train_step)
    batch = tf.constant(batch)
    return [{key: float(value) for key, value in step(batch).items()} for _ in range(count)]


def weights(network):
    return [w.value.numpy() for w in network.trainable_variables]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("turn_g", [0, 1])
def test_only_the_network_whose_turn_it_is_changes(face_batch, turn_g):
    gan = tiny_gan(margin=0.0, max_streak=100)
    # A bias on the logits decides who lags: "all real" is bad for D, "all generated" for G.
    gan.discriminator.layers[-1].bias.assign([-3.0 if turn_g else 3.0])
    before = weights(gan.generator), weights(gan.discriminator)
    (log,) = steps(gan, face_batch, 1)
    assert (log["turn_G"], log["turn_D"]) == (turn_g, 1 - turn_g)
    assert log["gap"] == pytest.approx(log["loss_G"] - log["loss_D"], abs=1e-6)
    assert same(before[0], weights(gan.generator)) == (not turn_g)
    assert same(before[1], weights(gan.discriminator)) == bool(turn_g)


def test_alternate_takes_turns_and_both_trains_both(face_batch):
    turns = [log["turn_G"] for log in steps(tiny_gan(balance="alternate"), face_batch, 6)]
    assert turns == [0, 1, 0, 1, 0, 1]
    gan = tiny_gan(balance="both")
    before = weights(gan.generator), weights(gan.discriminator)
    (log,) = steps(gan, face_batch, 1)
    assert log["turn_G"] == log["turn_D"] == 1
    assert not same(before[0], weights(gan.generator))
    assert not same(before[1], weights(gan.discriminator))


def test_counters(face_batch):
    gan = tiny_gan(max_streak=2, margin=0.0)
    logs = steps(gan, face_batch, 9)
    assert int(gan.batches) == 9
    assert int(gan.generator_turns) == sum(log["turn_G"] for log in logs)
    assert int(gan.discriminator_turns) == sum(log["turn_D"] for log in logs)
    turns = "".join("G" if log["turn_G"] else "D" for log in logs)
    assert "GGG" not in turns and "DDD" not in turns


def test_an_update_lowers_the_loss_of_who_trained(face_batch):
    gan = tiny_gan(balance="alternate", augmentation=False)
    gan.compile(discriminator_optimizer=adam(1e-3))
    logs = steps(gan, face_batch, 60)
    assert logs[-1]["loss_D"] < 0.65 < logs[0]["loss_D"]  # it learns one batch by heart


def test_ema_starts_as_the_generator_and_follows_it_on_its_turns(face_batch):
    gan = tiny_gan(balance="alternate")
    assert same(gan.ema_generator.get_weights(), gan.generator.get_weights())
    steps(gan, face_batch, 1)  # the discriminator's turn
    start = weights(gan.ema_generator)
    assert same(start, weights(gan.generator))
    steps(gan, face_batch, 1)
    # The first average is 1/10 old and 9/10 new.
    for old, new, ema in zip(
        start, weights(gan.generator), weights(gan.ema_generator), strict=True
    ):
        np.testing.assert_allclose(ema, 0.1 * old + 0.9 * new, atol=1e-6)


def test_ema_generator_computes_in_float32_from_a_bfloat16_generator(face_batch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        gan = tiny_gan()
    finally:
        keras.config.set_dtype_policy("float32")
    layers = gan.ema_generator.layers[1:]  # without the input, which computes nothing
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    assert all(np.isfinite(log["loss_G"]) for log in steps(gan, face_batch, 3))
    assert gan.generator.trainable_variables[0].dtype == "float32"


def test_seed_repeats_a_training(face_batch):
    def run(seed):
        gan = tiny_gan(seed=seed)
        steps(gan, face_batch, 5)
        return weights(gan.generator) + weights(gan.discriminator)

    assert same(run(1), run(1))
    assert not same(run(1), run(2))


def test_generate(face_batch):
    gan = tiny_gan()
    pictures = gan.generate(3)
    assert pictures.shape == (3, 32, 32, 3) and abs(pictures).max() <= 1
    assert not np.array_equal(pictures, gan.generate(3))


def test_unknown_balance_is_named():
    with pytest.raises(ValueError, match="Received: balance='wild'"):
        tiny_gan(balance="wild")
