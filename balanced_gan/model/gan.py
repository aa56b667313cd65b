"""The model: each step runs both networks forward once and updates one of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from balanced_gan.balance import next_r1_weight, next_streak, whose_turn
from balanced_gan.checks import refuse_wrong
from balanced_gan.model.augment import augment
from balanced_gan.model.ema import batch_norm_recalibration, update_ema
from balanced_gan.model.losses import discriminator_loss, generator_loss, r1_gradients
from balanced_gan.model.networks import plain_copy
from balanced_gan.model.optimizers import LearningRate, build_optimizer
from balanced_gan.settings import Settings

R1_EVERY = 16  # turns of the discriminator (Karras et al. 2020); each costs as much as two turns
R1_OFTEN = 4  # turns, where the rule has raised its weight more than fourfold; such turns are few
_RECALIBRATION_SEED = 2_000_000  # and the next 31: latents that set the BatchNorm statistics


class Forward(NamedTuple):
    """One forward pass of both networks, from which either can be trained."""

    real: tf.Tensor  # the batch, (B, S, S, C)
    tape: tf.GradientTape  # persistent; it recorded the pass
    loss_g: tf.Tensor  # float32 scalar in nats
    loss_d: tf.Tensor  # likewise


class BalancedGAN(keras.Model):
    """A GAN whose generator and discriminator take turns so that neither overpowers the other.

    On each batch, both networks run forward once, which gives both losses. `whose_turn` then picks
    the network that trains, and only this one runs backward. An exponential moving average of the
    generator (EMA) is kept from the first step and makes the pictures.

    Example:

    >>> gan = BalancedGAN(build_generator(), build_discriminator(), margin=0.7)
    >>> gan.compile()
    >>> # batches of float32 (B, S, S, C) in [-1, 1]
    >>> history = gan.fit(dataset, epochs=2, verbose=0)
    >>> pictures = gan.generate(20)

    Args:
        generator: functional or Sequential, (B, latent_dim) -> (B, S, S, C) in [-1, 1].
        discriminator: (B, S, S, C) -> (B, 1) logits. It should have no BatchNorm, because real
            and generated pictures pass through it separately.
        margin: *e*, in nats; the turns keep |loss_G - loss_D| below it.
        max_streak: the most turns in a row for one network; with 1, they alternate, and the
            weight of the R1 penalty stays as it is.
        augmentation: whether the discriminator sees pictures through `augment`.
        ema_decay: weight of the old average of the generator's weights, in [0, 1).
        label_noise: randomly softens the discriminator's targets by up to this much, in [0, 0.5].
        r1: least weight of the R1 penalty, see `losses.r1_penalty`. The rule raises it where the
            discriminator is too far ahead, see `next_r1_weight`.
        latent_prior: "normal" for latents from normal(0, 1), "uniform" for uniform(-1, 1).
        seed: seed of latents, augmentation and label noise.

    Raises:
        ValueError: if `latent_prior` is unknown.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        margin: float = Settings.margin,
        max_streak: int = Settings.max_streak,
        augmentation: bool = Settings.augmentation,
        ema_decay: float = Settings.ema_decay,
        label_noise: float = Settings.label_noise,
        r1: float = Settings.r1,
        latent_prior: str = Settings.latent_prior,
        seed: int = Settings.seed,
    ) -> None:
        super().__init__()
        refuse_wrong(Settings.__dataclass_fields__["latent_prior"], latent_prior)
        self.generator = generator
        self.discriminator = discriminator
        self.ema_generator = plain_copy(generator)
        self._recalibrate = batch_norm_recalibration(self.ema_generator)
        self.margin = margin
        self.max_streak = max_streak
        self.augmentation = augmentation
        self.ema_decay = ema_decay
        self.label_noise = label_noise
        self.r1 = r1
        self.latent_prior = latent_prior
        self.latent_dim = generator.input_shape[-1]
        self.seed_generator = keras.random.SeedGenerator(seed)
        # Counters are variables so that checkpoints and compiled graphs carry them.
        self.generator_turns = self._counter("generator_turns")
        self.discriminator_turns = self._counter("discriminator_turns")
        self.streak = self._counter("streak")
        self.batches = self._counter("batches")
        # Scales both learning rates; below 1 after training has diverged (see `training.train`).
        self.learning_rate_factor = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="learning_rate_factor"
        )
        self.r1_weight = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(r1),
            trainable=False,
            name="r1_weight",
        )
        self.built = True

    def train_step(self, real: tf.Tensor) -> dict[str, tf.Tensor]:
        """Trains on one batch: forward, losses, whose turn, one update.

        Args:
            real: (B, S, S, C) float32 in [-1, 1], or points (B, 2).

        Returns:
            Scalars: `loss_G`, `loss_D` and `gap` of this batch, and `turn_G` and `turn_D`, the
            number of times each network trained on it.
        """
        forward = self.forward(real)
        generator_turn = whose_turn(
            forward.loss_g - forward.loss_d, self.margin, self.streak.value, self.max_streak
        )
        tf.cond(
            generator_turn,
            lambda: self.update_generator(forward),
            lambda: self.update_discriminator(forward),
        )
        turn_g = ops.cast(generator_turn, "int32")
        self.streak.assign(next_streak(self.streak.value, turn_g))
        logs = self.count_turns(forward.loss_g, forward.loss_d, turn_g, 1 - turn_g)
        if self.max_streak > 1:  # plain alternation goes on regardless of the gap
            self.r1_weight.assign(
                next_r1_weight(self.r1_weight.value, logs["gap"], self.margin, self.r1)
            )
        return logs

    def forward(self, real: tf.Tensor) -> Forward:
        """Runs both networks once, on a batch as in `train_step`."""
        latents = self.random_latents(ops.shape(real)[0])
        with tf.GradientTape(persistent=True) as tape:
            # training=True even when only the discriminator learns. With moving statistics, it
            # would judge a generator that is not the one in training, and both losses would
            # sink to zero together.
            generated = self.generator(latents, training=True)
            loss_d, generated_logits = self.judge_both(real, generated)
            loss_g = generator_loss(generated_logits)
        return Forward(real, tape, loss_g, loss_d)

    def update_generator(self, forward: Forward) -> None:
        """Updates the generator and its moving average."""
        variables = self.generator.trainable_variables
        gradients = forward.tape.gradient(forward.loss_g, variables)
        self.generator_optimizer.apply(gradients, variables)
        turns = self.generator_optimizer.iterations
        update_ema(self.ema_generator, self.generator, turns, self.ema_decay)

    def update_discriminator(self, forward: Forward) -> None:
        """Updates the discriminator; every 16th turn adds 16 times the R1 penalty.

        While the penalty's weight is above 4 times `r1`, every 4th turn adds 4 times the penalty.
        """
        variables = self.discriminator.trainable_variables
        gradients = forward.tape.gradient(forward.loss_d, variables)
        if self.r1:
            every = ops.where(self.r1_weight.value > 4 * self.r1, R1_OFTEN, R1_EVERY)

            def with_penalty():
                weight = ops.cast(every, "float32") * self.r1_weight.value
                real = self.augmented(forward.real)
                penalties = r1_gradients(self.discriminator, real, weight)
                return [g + p for g, p in zip(gradients, penalties, strict=True)]

            due = self.discriminator_optimizer.iterations % every == 0
            gradients = tf.cond(due, with_penalty, lambda: gradients)
        self.discriminator_optimizer.apply(gradients, variables)

    def count_turns(
        self, loss_g: tf.Tensor, loss_d: tf.Tensor, turn_g: int | tf.Tensor, turn_d: int | tf.Tensor
    ) -> dict[str, Any]:
        """Counts the step and each network's turns; returns the dict that `train_step` returns."""
        self.batches.assign_add(1)
        self.generator_turns.assign_add(turn_g)
        self.discriminator_turns.assign_add(turn_d)
        return {
            "loss_G": loss_g,
            "loss_D": loss_d,
            "gap": loss_g - loss_d,
            "turn_G": turn_g,
            "turn_D": turn_d,
        }

    def augmented(self, pictures: tf.Tensor) -> tf.Tensor:
        """Pictures as the discriminator sees them."""
        return augment(pictures, self.draw) if self.augmentation else pictures

    def judge(self, pictures: tf.Tensor) -> tf.Tensor:
        """The discriminator's logits, (B, 1), for pictures after augmentation."""
        return self.discriminator(self.augmented(pictures), training=True)

    def judge_both(self, real: tf.Tensor, generated: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The discriminator's loss, and its logits for the generated pictures."""
        real_logits, generated_logits = self.judge(real), self.judge(generated)
        noise = 0.0
        if self.label_noise:
            shape = ops.shape(real_logits)
            noise = self.draw(keras.random.uniform, shape, 0, self.label_noise)
        return discriminator_loss(real_logits, generated_logits, noise), generated_logits

    def draw(
        self, sampler: Callable[..., tf.Tensor], shape: tuple[Any, ...], *args: Any
    ) -> tf.Tensor:
        """Draws random numbers from the model's own stream.

        A method, so that in `replicas` each replica can get its part of what is drawn.

        Args:
            sampler: for example `keras.random.normal`.
            shape: shape of the result, with one row for each sample.
        """
        return sampler(shape, *args, seed=self.seed_generator)

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer | None = None,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets the optimizers.

        Args:
            generator_optimizer: None for the default of `build_optimizer`.
            discriminator_optimizer: the same, but must be another instance.
        """
        # Where there is a GPU, Keras would compile the step with XLA, which is not tested here.
        super().compile(optimizer=None, jit_compile=False, **kwargs)
        factor = self.learning_rate_factor
        self.generator_optimizer = generator_optimizer or build_optimizer(
            LearningRate(Settings.generator_learning_rate, factor=factor)
        )
        rate, warm_up = Settings.discriminator_learning_rate, Settings.discriminator_warm_up
        self.discriminator_optimizer = discriminator_optimizer or build_optimizer(
            LearningRate(rate, warm_up=warm_up, factor=factor)
        )
        # Their variables must exist before a branch of the graph first uses them.
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def random_latents(self, count: int | tf.Tensor) -> tf.Tensor:
        """Draws latents, (count, latent_dim), from the model's own random stream."""
        return self._latents(count, self.draw)

    def recalibrated_generator(self, batches: int = 32) -> keras.Model:
        """Recalibrates the averaged generator's BatchNorm and returns it, ready to make pictures.

        Args:
            batches: number of batches of 4 latents and their negatives that give the statistics.
                In six trials with the same weights, swd was 37 to 39 with 32 batches and 35 to 43
                with eight. With one batch of 64 latents and no negatives, it was 36 to 54, and all
                pictures were a little dark or pale.
        """
        # The negatives keep chance from shifting the latents' mean.
        halves = (self._seeded_latents(4, _RECALIBRATION_SEED + batch) for batch in range(batches))
        pairs = (ops.concatenate([half, -half]) for half in halves)
        self._recalibrate(pairs)
        return self.ema_generator

    def generate(self, count: int) -> NDArray[np.float32]:
        """Makes pictures with the averaged generator, (count, S, S, C) in [-1, 1]."""
        latents = self.random_latents(count)
        return self.recalibrated_generator().predict(latents, batch_size=64, verbose=0)

    @property
    def steps_done(self) -> int:
        """The number of steps trained."""
        return int(self.batches.numpy())

    def _counter(self, name):
        return self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name=name
        )

    def _seeded_latents(self, count, seed):
        return self._latents(count, lambda sampler, *args: sampler(*args, seed=seed))

    def _latents(self, count, draw):
        shape = count, self.latent_dim
        if self.latent_prior == "uniform":
            return draw(keras.random.uniform, shape, -1, 1)
        return draw(keras.random.normal, shape)
