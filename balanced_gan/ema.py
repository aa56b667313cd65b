"""The generator averaged over its turns (EMA), which makes the pictures.

An exponential moving average is steadier than the generator itself (Yazici et al. 2019,
arXiv 1806.04498).
"""

import keras
from keras import ops


def follow(average, generator, turns, decay):
    """Moves the average's weights towards the generator's, after one of the generator's turns.

    Args:
        average: `keras.Model` of the generator's weights, in the same order.
        generator: the `keras.Model` that trains.
        turns: of the generator until now.
        decay: share of the past in the average, in [0, 1).
    """
    # The average is short at first, or the untrained generator would show through.
    turns = ops.cast(turns, "float32")
    decay = ops.minimum(decay, (1 + turns) / (10 + turns))
    pairs = zip(average.trainable_variables, generator.trainable_variables, strict=True)
    for slow, fast in pairs:
        slow.assign(decay * slow + (1 - decay) * fast)


def settle(average, batches):
    """Gives BatchNorm the statistics of the averaged generator's own activations.

    The average of the generator's statistics does not fit the average of its weights (Izmailov
    et al. 2018, arXiv 1803.05407, section 3.2): after 3,000 batches swd was 87 with it, settled
    70 (benchmarks/ablations.md).

    Args:
        average: `keras.Model`; without BatchNorm it stays as it is.
        batches: an iterable of latents (B, latent_dim), over which the statistics are averaged.
    """
    norms = [
        layer for layer in average.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    for done, latents in enumerate(batches if norms else ()):
        for layer in norms:
            layer.momentum = done / (done + 1)  # of a mean over all batches so far
        average(latents, training=True)
