"""The optimizers of the two networks and the schedule of their learning rates."""

import keras
import tensorflow as tf
from keras import ops

from balanced_gan.settings import Settings


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that warms up and then decays.

    In turn n, counted from 0, it is
    `factor * rate * min(1, (n + 1) / warm_up) / (1 + decay * n)`.

    Args:
        rate: approximate maximum.
        decay: decay per turn.
        warm_up: number of turns with a rising rate; 0 for none. Without it, Adam's first updates
            are as large as its later ones, although it knows little about the gradients yet.
        factor: number or variable. A variable lets a run that diverged continue at a lower rate.
    """

    def __init__(
        self,
        rate: float,
        decay: float = Settings.learning_rate_decay,
        warm_up: int = 0,
        factor: float | keras.Variable = 1.0,
    ) -> None:
        self.rate, self.decay, self.warm_up, self.factor = rate, decay, warm_up, factor

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        turn = ops.cast(step, "float32")
        rising = ops.minimum(1.0, (turn + 1) / max(self.warm_up, 1))
        return self.factor * self.rate * rising / (1 + self.decay * turn)


def build_optimizer(
    learning_rate: float | LearningRate,
    optimizer: str = Settings.optimizer,
    beta_1: float = Settings.beta_1,
    beta_2: float = Settings.beta_2,
    clip_value: float = Settings.clip_value,
    loss_scale_factor: float | None = None,
) -> keras.optimizers.Optimizer:
    """Builds the optimizer of one network. The two networks cannot share one.

    Args:
        learning_rate: the schedule, or the `rate` of one with its defaults.
        optimizer: "adam" or "rmsprop".
        beta_1: Adam's decay rate for the mean of past gradients. It is 0 by default, so that no
            update follows a gradient that the other network's turn has made stale (Gidel et al.
            2019, arXiv 1807.04740).
        beta_2: Adam's decay rate for the mean of past squared gradients.
        clip_value: clips each gradient to [-clip_value, clip_value]; 0 for no clipping.
        loss_scale_factor: divides each gradient before it is clipped; None for 1.
    """
    given = isinstance(learning_rate, LearningRate)
    schedule = learning_rate if given else LearningRate(learning_rate)
    usual = {"clipvalue": clip_value or None, "loss_scale_factor": loss_scale_factor}
    if optimizer == "rmsprop":
        return keras.optimizers.RMSprop(schedule, **usual)
    return keras.optimizers.Adam(schedule, beta_1=beta_1, beta_2=beta_2, **usual)
