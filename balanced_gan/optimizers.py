"""The optimizers of the two networks."""

import keras

from balanced_gan.settings import Settings


def build_optimizer(
    learning_rate,
    optimizer=Settings.optimizer,
    beta_1=Settings.beta_1,
    beta_2=Settings.beta_2,
    learning_rate_decay=Settings.learning_rate_decay,
    clip_value=Settings.clip_value,
):
    """One network's optimizer; each network needs its own.

    Args:
        learning_rate: of the network's first turn.
        optimizer: "adam" or "rmsprop".
        beta_1: Adam's share of past gradients. 0, so that no step follows a gradient that the
            other network's turn has made stale (Gidel et al. 2019, arXiv 1807.04740).
        beta_2: Adam's share of past squared gradients.
        learning_rate_decay: d; the learning rate of turn n is divided by 1 + d n.
        clip_value: each gradient is cut to [-clip_value, clip_value]; 0 for never.

    Returns:
        A `keras.optimizers.Optimizer`.
    """
    schedule = keras.optimizers.schedules.InverseTimeDecay(learning_rate, 1, learning_rate_decay)
    clipvalue = clip_value or None
    if optimizer == "rmsprop":
        return keras.optimizers.RMSprop(schedule, clipvalue=clipvalue)
    return keras.optimizers.Adam(schedule, beta_1=beta_1, beta_2=beta_2, clipvalue=clipvalue)
