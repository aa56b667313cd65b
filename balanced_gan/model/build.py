"""Builds the compiled model from settings, and finds the faster precision on this machine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from balanced_gan import processor
from balanced_gan.model import workers
from balanced_gan.model.gan import BalancedGAN
from balanced_gan.model.optimizers import LearningRate, build_optimizer
from balanced_gan.model.replicas import replicated, shared_copy
from balanced_gan.presets.networks import NETWORKS
from balanced_gan.presets.schedules import SCHEDULES
from balanced_gan.settings import Settings

_TIMED_SECONDS = 0.1  # for each precision


def build_gan(settings: Settings) -> BalancedGAN:
    """Builds and compiles the model. The same seed always gives the same model.

    Args:
        settings: their `precision` must be "float32" or "bfloat16", not "auto".
    """
    keras.utils.set_random_seed(settings.seed)
    # Otherwise threads may add up numbers in any order, and a resumed run would drift away from
    # an uninterrupted one.
    tf.config.experimental.enable_op_determinism()
    policy = "mixed_bfloat16" if settings.precision == "bfloat16" else "float32"
    gan_class = SCHEDULES[settings.balance]
    strategy = workers.strategy()
    with strategy.scope(), _dtype_policy(policy):
        generator, discriminator = build_networks(settings)
        if strategy.num_replicas_in_sync > 1:
            generator = shared_copy(generator)
            gan_class = replicated(gan_class)
        gan = gan_class(
            generator,
            discriminator,
            margin=settings.margin,
            max_streak=1 if settings.balance == "alternate" else settings.max_streak,
            augmentation=settings.augmentation,
            ema_decay=settings.ema_decay,
            label_noise=settings.label_noise,
            r1=settings.r1,
            latent_prior=settings.latent_prior,
            seed=settings.seed,
        )
    replicas = strategy.num_replicas_in_sync

    def optimizer(rate, warm_up=0):
        return build_optimizer(
            LearningRate(rate, settings.learning_rate_decay, warm_up, gan.learning_rate_factor),
            settings.optimizer,
            settings.beta_1,
            settings.beta_2,
            settings.clip_value / replicas,  # each replica clips its share of the gradient
            # Optimizers add up the gradients of all replicas.
            loss_scale_factor=replicas if replicas > 1 else None,
        )

    with strategy.scope():
        gan.compile(
            optimizer(settings.generator_learning_rate),
            optimizer(settings.discriminator_learning_rate, settings.discriminator_warm_up),
        )
    return gan


def build_networks(settings: Settings) -> tuple[keras.Model, keras.Model]:
    """Builds `(generator, discriminator)`, untrained, for one process and one device.

    Only `build_gan` spreads them over workers, which must all do so equally often.
    """
    build_generator, build_discriminator = NETWORKS[settings.networks]
    size = settings.image_size, settings.channels
    return (
        build_generator(*size, settings.latent_dim, settings.width),
        build_discriminator(*size, settings.width, settings.dropout),
    )


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def faster_precision() -> tuple[str, float]:
    """Finds out whether this machine trains faster in float32 or in bfloat16.

    bfloat16 is only worthwhile on a processor that has instructions for it. If the processor
    certainly has none and there is no GPU, nothing is timed. Otherwise this times a convolution
    and its gradient, which takes at most half a second.

    Returns:
        `(name, ratio)`: "float32" or "bfloat16", and how many times faster bfloat16 was. The ratio
        is 0 if bfloat16 is not supported, for example because oneDNN is limited to older
        instructions.
    """
    on_processor = not tf.config.list_physical_devices("GPU")
    if on_processor and not processor.may_have_bfloat16():
        return "float32", 0.0

    @tf.function(autograph=False)
    def work(pictures, kernel):
        with tf.GradientTape() as tape:
            tape.watch([pictures, kernel])
            result = tf.nn.conv2d(pictures, kernel, 1, "SAME")
        return tape.gradient(result, [pictures, kernel])

    def fastest(dtype):
        pictures = tf.ones((4, 16, 16, 128), dtype)
        kernel = tf.ones((3, 3, 128, 128), dtype)
        work(pictures, kernel)
        times = []
        began = time.perf_counter()
        # When bfloat16 is emulated, one call takes 0.1 s, and one is enough to know.
        while not times or (len(times) < 15 and time.perf_counter() - began < _TIMED_SECONDS):
            before = time.perf_counter()
            work(pictures, kernel)
            times.append(time.perf_counter() - before)
        return min(times)

    try:
        ratio = fastest(tf.float32) / fastest(tf.bfloat16)
    except tf.errors.OpError:
        return "float32", 0.0
    # Not 1.0, because networks also have layers that gain nothing.
    return ("bfloat16" if ratio > 1.2 else "float32"), ratio
