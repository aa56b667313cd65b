"""The optimizers of the two networks, and how their learning rates rise and fall."""

import keras
import tensorflow as tf
from keras import ops

from balanced_gan.settings import Settings


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of turn n, counted from 0: it rises for some turns, then falls.

    `factor * rate * min(1, (n + 1) / warm_up) / (1 + decay * n)`

    Args:
        rate: about the highest.
        decay: how fast it falls.
        warm_up: turns in which it rises; Adam's first steps are as long as its later ones,
            although it knows little of the gradients yet. 0 for none.
        factor: a variable, so that a run that went astray can go on with less.
    """

    def __init__(self, rate, decay, warm_up, factor):
        self.rate, self.decay, self.warm_up, self.factor = rate, decay, warm_up, factor

    def __call__(self, step):
        turn = ops.cast(step, "float32")
        rising = ops.minimum(1.0, (turn + 1) / max(self.warm_up, 1))
        return self.factor * self.rate * rising / (1 + self.decay * turn)


class FusedAdam(keras.optimizers.Adam):
    """Keras's Adam, with all of a variable's update in one operation of TensorFlow's, not ten, each
    of which would read and write the whole variable: 2 ms of a turn's 42 (benchmarks/layers.py)."""

    def update_step(self, gradient, variable, learning_rate):
        """As Keras asks for it, with TensorFlow's own variable; all float32."""
        index = self._get_variable_index(variable)
        step = ops.cast(self.iterations + 1, "float32")
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def build_optimizer(
    learning_rate,
    optimizer=Settings.optimizer,
    beta_1=Settings.beta_1,
    beta_2=Settings.beta_2,
    learning_rate_decay=Settings.learning_rate_decay,
    warm_up=0,
    clip_value=Settings.clip_value,
    factor=1.0,
):
    """One network's optimizer; each network needs its own.

    Args:
        learning_rate: about its highest.
        optimizer: "adam" or "rmsprop".
        beta_1: Adam's share of past gradients. 0, so that no step follows a gradient that the
            other network's turn has made stale (Gidel et al. 2019, arXiv 1807.04740).
        beta_2: Adam's share of past squared gradients.
        learning_rate_decay: d; the learning rate of turn n is divided by 1 + d n.
        warm_up: turns in which the learning rate rises.
        clip_value: each gradient is cut to [-clip_value, clip_value]; 0 for never.
        factor: number or variable that all its learning rates are multiplied by.

    Returns:
        A `keras.optimizers.Optimizer`.
    """
    schedule = LearningRate(learning_rate, learning_rate_decay, warm_up, factor)
    clipvalue = clip_value or None
    if optimizer == "rmsprop":
        return keras.optimizers.RMSprop(schedule, clipvalue=clipvalue)
    return FusedAdam(schedule, beta_1=beta_1, beta_2=beta_2, clipvalue=clipvalue)
