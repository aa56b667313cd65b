import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import RECALIBRATED_GENERATOR

from balanced_gan import BalancedGAN, build_discriminator, build_generator
from balanced_gan.balance import STRONGER
from balanced_gan.data.sine_curve import points_on_curve
from balanced_gan.model.losses import (
    discriminator_loss,
    generator_loss,
    r1_gradients,
    r1_penalty,
)
from balanced_gan.model.optimizers import build_optimizer
from balanced_gan.presets.networks import NETWORKS
from balanced_gan.presets.schedules import BothGAN, TwoStepGAN, TwoStepRepeatGAN


def tiny_gan(kind=BalancedGAN, **kwargs):
    keras.utils.set_random_seed(0)
    gan = kind(
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


@pytest.mark.traced
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


@pytest.mark.parametrize(
    "bias, max_streak, weight",
    # -3: "all generated", a gap of 3
    [(0.0, 16, 0.5), (-3.0, 16, 0.5 * STRONGER), (-3.0, 1, 0.5)],
)
def test_a_gap_beyond_the_margin_raises_the_weight_of_r1(face_batch, bias, max_streak, weight):
    gan = tiny_gan(max_streak=max_streak, r1=0.5)
    gan.discriminator.layers[-1].bias.assign([bias])
    steps(gan, face_batch, 1)
    assert float(gan.r1_weight) == pytest.approx(weight)


def test_alternate_takes_turns_and_both_trains_both(face_batch):
    turns = [log["turn_G"] for log in steps(tiny_gan(max_streak=1), face_batch, 6)]
    assert turns == [0, 1, 0, 1, 0, 1]
    gan = tiny_gan(BothGAN)
    before = weights(gan.generator), weights(gan.discriminator)
    (log,) = steps(gan, face_batch, 1)
    assert log["turn_G"] == log["turn_D"] == 1
    assert not same(before[0], weights(gan.generator))
    assert not same(before[1], weights(gan.discriminator))


def test_two_step_trains_both_and_the_generator_faces_the_changed_discriminator(face_batch):
    two_step, both = (tiny_gan(kind, augmentation=False) for kind in (TwoStepGAN, BothGAN))
    for gan in (two_step, both):
        # A step so large that the losses before and after it differ.
        gan.compile(build_optimizer(1e-3), build_optimizer(0.05))
    before = weights(two_step.generator), weights(two_step.discriminator)
    logs = [steps(gan, face_batch, 1)[0] for gan in (two_step, both)]
    assert logs[0]["turn_G"] == logs[0]["turn_D"] == 1
    assert not same(before[0], weights(two_step.generator))
    assert not same(before[1], weights(two_step.discriminator))
    assert logs[0]["loss_D"] == pytest.approx(logs[1]["loss_D"], abs=1e-5)
    assert logs[0]["loss_G"] > logs[1]["loss_G"] + 0.1


@pytest.mark.traced
@pytest.mark.parametrize(
    "bias, lagging, other", [(-5.0, "turn_G", "turn_D"), (5.0, "turn_D", "turn_G")]
)
def test_repeat_trains_the_lagging_network_again_up_to_the_cap(face_batch, bias, lagging, other):
    gan = tiny_gan(TwoStepRepeatGAN, margin=0.1, max_streak=3)
    gan.discriminator.layers[-1].bias.assign([bias])
    log = gan.train_step(face_batch)
    assert (log[lagging], log[other]) == (4, 1)  # once, and three times more
    assert int(gan.generator_optimizer.iterations) == int(gan.generator_turns) == log["turn_G"]
    assert int(gan.discriminator_optimizer.iterations) == log["turn_D"]
    gan.margin = 100.0  # within which nobody trains again
    log = gan.train_step(face_batch)
    assert (log["turn_G"], log["turn_D"]) == (1, 1)


def test_label_noise_softens_the_targets_of_the_discriminator_only(face_batch):
    gan = tiny_gan(label_noise=0.5, augmentation=False)
    drawn = []

    def noted(sampler, shape, *args):
        drawn.append((sampler, args, type(gan).draw(gan, sampler, shape, *args)))
        return drawn[-1][-1]

    gan.draw = noted
    forward = gan.forward(face_batch)
    (_, _, latents), (sampler, bounds, noise) = drawn
    assert sampler is keras.random.uniform and bounds == (0, 0.5) and len(noise) == 8
    generated = gan.generator(latents, training=True)
    logits = [gan.discriminator(pictures, training=True) for pictures in (face_batch, generated)]
    assert float(forward.loss_d) == pytest.approx(float(discriminator_loss(*logits, noise)))
    assert float(forward.loss_g) == pytest.approx(float(generator_loss(logits[1])))


def test_latent_prior():
    normal = np.asarray(tiny_gan().random_latents(1000))
    assert abs(normal).max() > 2 and normal.std() == pytest.approx(1, abs=0.05)
    uniform = np.asarray(tiny_gan(latent_prior="uniform").random_latents(1000))
    assert 0.99 < abs(uniform).max() <= 1 and abs(uniform.mean()) < 0.05


def test_points_are_learnt_like_pictures():
    keras.utils.set_random_seed(0)
    build_generator, build_discriminator = NETWORKS["points"]
    generator, discriminator = build_generator(0, 0, 2, 16), build_discriminator(0, 0, 16, 0.3)
    gan = BalancedGAN(generator, discriminator, augmentation=False, max_streak=1)
    gan.compile(build_optimizer(1e-3), build_optimizer(1e-3))
    before = weights(generator), weights(discriminator)
    steps(gan, points_on_curve(32), 2)
    assert not same(before[0], weights(generator))
    assert not same(before[1], weights(discriminator))
    assert gan.generate(5).shape == (5, 2)


def test_counters(face_batch):
    gan = tiny_gan(max_streak=2, margin=0.0)
    logs = steps(gan, face_batch, 9)
    assert int(gan.batches) == 9
    assert int(gan.generator_turns) == sum(log["turn_G"] for log in logs)
    assert int(gan.discriminator_turns) == sum(log["turn_D"] for log in logs)
    turns = "".join("G" if log["turn_G"] else "D" for log in logs)
    assert "GGG" not in turns and "DDD" not in turns


def test_an_update_lowers_the_loss_of_who_trained(face_batch):
    gan = tiny_gan(max_streak=1, augmentation=False)
    gan.compile(discriminator_optimizer=build_optimizer(1e-3))
    logs = steps(gan, face_batch, 60)
    assert logs[-1]["loss_D"] < 0.65 < logs[0]["loss_D"]  # it learns one batch by heart


def test_ema_starts_as_the_generator_and_follows_it_on_its_turns(face_batch):
    gan = tiny_gan(max_streak=1)
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


@pytest.mark.usefixtures("bfloat16_works")
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


def test_an_unknown_prior_is_named():
    with pytest.raises(ValueError, match="Received: latent_prior='wild'"):
        tiny_gan(latent_prior="wild")


@pytest.mark.traced
@pytest.mark.parametrize("turns, changes", [(0, True), (1, False), (15, False), (16, True)])
def test_r1_counts_on_every_16th_turn_of_the_discriminator(face_batch, turns, changes):
    after = []
    for r1 in (0.0, 100.0):
        gan = tiny_gan(max_streak=1, augmentation=False, r1=r1)
        gan.streak.assign(1)  # G trained last
        gan.discriminator_optimizer.iterations.assign(turns)
        gan.train_step(tf.constant(face_batch))
        assert int(gan.discriminator_optimizer.iterations) == turns + 1
        after.append(weights(gan.discriminator))
    assert same(*after) != changes


@pytest.mark.parametrize("turns, changes", [(12, False), (13, True)])
def test_r1_counts_repeated_turns_of_a_batch(face_batch, turns, changes):
    after = []
    for r1 in (0.0, 100.0):
        gan = tiny_gan(TwoStepRepeatGAN, margin=0.1, max_streak=3, augmentation=False, r1=r1)
        gan.discriminator.layers[-1].bias.assign([5.0])  # D lags: four turns
        gan.discriminator_optimizer.iterations.assign(turns)
        gan.train_step(tf.constant(face_batch))
        assert int(gan.discriminator_optimizer.iterations) == turns + 4
        after.append(weights(gan.discriminator))
    assert same(*after) != changes


@pytest.mark.parametrize(
    "raised, weights_by_turn",
    [
        (1.0, {0: 8.0, 16: 8.0}),  # the weight of 0.5, 16 times
        (4.0, {0: 32.0, 16: 32.0}),
        (5.0, {0: 10.0, 4: 10.0, 8: 10.0, 12: 10.0, 16: 10.0}),  # of 2.5, 4 times
    ],
)
def test_r1_weighs_as_much_more_as_it_is_rarer(face_batch, monkeypatch, raised, weights_by_turn):
    found = {}

    def noted(discriminator, real, weight):
        found[int(gan.discriminator_optimizer.iterations)] = float(weight)
        return r1_gradients(discriminator, real, weight)

    monkeypatch.setattr("balanced_gan.model.gan.r1_gradients", noted)
    gan = tiny_gan(BothGAN, augmentation=False, r1=0.5)
    gan.r1_weight.assign(0.5 * raised)
    for _ in range(17):
        gan.train_step(tf.constant(face_batch))
    assert found == weights_by_turn


def test_r1_flattens_the_discriminator(face_batch):
    gan = tiny_gan(augmentation=False, r1=1.0)
    real = tf.constant(face_batch)

    def slope():
        with tf.GradientTape() as tape:
            tape.watch(real)
            logits = gan.discriminator(real)
        return float(r1_penalty(tape.gradient(logits, real)))

    before = slope()
    gradients = r1_gradients(gan.discriminator, real, weight=1.0)
    size = sum(float(tf.reduce_sum(gradient**2)) for gradient in gradients)
    for variable, gradient in zip(gan.discriminator.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.1 * before / size * gradient)
    # A step of a tenth of the way, as far as the slope is straight.
    assert slope() == pytest.approx(0.9 * before, rel=0.05)


@pytest.mark.traced
def test_recalibrated_statistics_are_those_of_the_averaged_generator(face_batch):
    gan = tiny_gan()
    steps(gan, face_batch, 30)
    generator = RECALIBRATED_GENERATOR(gan)
    norm = next(x for x in generator.layers if "batch_normalization" in x.name)
    before = keras.Model(generator.input, norm.input)
    latents = keras.random.normal((2048, 8), seed=5)
    activations = np.asarray(before(latents))
    scale = activations.std()
    mean, variance = activations.mean((0, 1, 2)), activations.var((0, 1, 2))
    np.testing.assert_allclose(norm.moving_mean, mean, atol=0.1 * scale)
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=0.3)
    first = norm.moving_mean.numpy()
    RECALIBRATED_GENERATOR(gan)
    assert norm.momentum == 0.9  # not a tensor of the graph: networks are saved with it
    np.testing.assert_array_equal(norm.moving_mean.numpy(), first)


def test_statistics_are_recalibrated_in_nested_models_too():
    inputs = keras.Input((3072,))
    deeper = keras.Model(inputs, keras.layers.BatchNormalization()(inputs), name="deeper")
    nested = keras.Sequential([deeper, keras.layers.Activation("tanh")], name="nested")
    layers = [keras.Input((8,)), keras.layers.Dense(3072), nested]
    generator = keras.Sequential([*layers, keras.layers.Reshape((32, 32, 3))])
    average = BalancedGAN(generator, build_discriminator(32, width=4)).recalibrated_generator()
    norm = average.get_layer("nested").get_layer("deeper").layers[-1]
    assert (norm.moving_variance.numpy() != 1).all()
