"""The schedules of other systems, each a `BalancedGAN` with a different training step.

They are for comparison. `both` trains both networks from one forward pass. `two_step` is the
usual discriminator step followed by a generator step. `two_step_repeat` is the rule's first form.
"""

from typing import Any

import tensorflow as tf
from keras import ops

from balanced_gan.balance import repeat_again
from balanced_gan.model.gan import BalancedGAN, Forward
from balanced_gan.model.losses import generator_loss


class BothGAN(BalancedGAN):
    """Trains both networks on every batch, from the same forward pass."""

    def train_step(self, real: tf.Tensor) -> dict[str, Any]:
        """Trains on one batch; see `BalancedGAN.train_step`."""
        forward = self.forward(real)
        self.update_discriminator(forward)
        self.update_generator(forward)
        return self.count_turns(forward.loss_g, forward.loss_d, 1, 1)


class TwoStepGAN(BalancedGAN):
    """Trains the discriminator, then the generator against the updated discriminator."""

    def train_step(self, real: tf.Tensor) -> dict[str, Any]:
        """Trains on one batch; see `BalancedGAN.train_step`.

        Each loss is the one from the last update of its network.
        """
        return self.count_turns(*self.two_steps(real))

    def two_steps(self, real: tf.Tensor) -> tuple[Any, Any, Any, Any]:
        """Runs both updates; returns `(loss_g, loss_d, turn_g, turn_d)`, all scalars."""
        latents = self.random_latents(ops.shape(real)[0])
        loss_g, loss_d = self._discriminator_then_generator(real, latents)
        return loss_g, loss_d, 1, 1

    def _discriminator_then_generator(self, real, latents):
        with tf.GradientTape() as tape:
            generated = self.generator(latents, training=True)
            with tape.stop_recording():
                loss_d = self._discriminator_step(real, generated)
            loss_g = generator_loss(self.judge(generated))
        self.update_generator(Forward(real, tape, loss_g, None))  # needs no loss_d
        return loss_g, loss_d

    def _discriminator_step(self, real, generated):
        with tf.GradientTape() as tape:
            loss_d, _ = self.judge_both(real, generated)
        self.update_discriminator(Forward(real, tape, None, loss_d))  # needs no loss_g
        return loss_d


class TwoStepRepeatGAN(TwoStepGAN):
    """Like `TwoStepGAN`, then repeats the lagging network on the batch until the gap is closed."""

    def two_steps(self, real: tf.Tensor) -> tuple[Any, Any, Any, Any]:
        """Runs both updates, then up to `max_streak` more updates of one network."""
        latents = self.random_latents(ops.shape(real)[0])
        loss_g, loss_d = self._discriminator_then_generator(real, latents)
        first_gap = loss_g - loss_d

        def generator_again():
            with tf.GradientTape() as tape:
                loss_g = generator_loss(self.judge(self.generator(latents, training=True)))
            self.update_generator(Forward(real, tape, loss_g, None))
            return loss_g

        def discriminator_again():
            return self._discriminator_step(real, self.generator(latents, training=True))

        def goes_on(repeats, loss_g, loss_d):
            return repeat_again(loss_g - loss_d, first_gap, self.margin, repeats, self.max_streak)

        def once_more(repeats, loss_g, loss_d):
            loss_g, loss_d = tf.cond(
                first_gap > 0,
                lambda: (generator_again(), loss_d),
                lambda: (loss_g, discriminator_again()),
            )
            return repeats + 1, loss_g, loss_d

        repeats, loss_g, loss_d = tf.while_loop(goes_on, once_more, (0, loss_g, loss_d))
        generator_repeats = ops.where(first_gap > 0, repeats, 0)
        return loss_g, loss_d, 1 + generator_repeats, 1 + repeats - generator_repeats


# The class for each value of `Settings.balance`. "alternate" is the rule with `max_streak` 1.
SCHEDULES: dict[str, type[BalancedGAN]] = {
    "margin": BalancedGAN,
    "alternate": BalancedGAN,
    "both": BothGAN,
    "two_step": TwoStepGAN,
    "two_step_repeat": TwoStepRepeatGAN,
}
