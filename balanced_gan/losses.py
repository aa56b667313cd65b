"""The two losses, as functions of the discriminator's logits, and the penalty on its slope.

Both losses are means of binary cross-entropies in nats and equal ln 2 = 0.693 when the
discriminator cannot tell real from generated (all logits 0). That common zero point
is what makes their difference, the gap, a measure of balance: the usual *sum* of the
discriminator's two terms would rest at ln 4 and tilt the rule towards it.
"""

import tensorflow as tf
from keras import ops


def generator_loss(generated_logits):
    """Non-saturating loss (Goodfellow et al. 2014, section 3): -log D(G(z)).

    Args:
        generated_logits: the discriminator's logits for generated pictures, (B, 1);
            positive means "looks real".

    Returns:
        A float32 scalar in nats, 0 or more.
    """
    return ops.mean(ops.softplus(-generated_logits))


def discriminator_loss(real_logits, generated_logits, label_noise=0.0):
    """Mean of -log D(x) over real and -log(1 - D(G(z))) over generated pictures.

    Args:
        real_logits: logits for real pictures, (B, 1).
        generated_logits: logits for generated pictures, (B, 1).
        label_noise: how far the target of each picture is from the certain 1 or 0, a number
            or (B, 1) in [0, 0.5] (Salimans et al. 2016, section 3.4, smooth theirs so).

    Returns:
        A float32 scalar in nats, 0 or more.
    """
    real = _cross_entropy(real_logits, 1 - label_noise)
    generated = _cross_entropy(generated_logits, label_noise)
    return 0.5 * (real + generated)


def slope_penalty(gradients):
    """How steep the discriminator is at real pictures: R1 (Mescheder et al. 2018,
    arXiv 1801.04406, equation 9), which keeps it from telling pictures apart by ever smaller
    details, and the generator from running round in circles after it.

    As a picture has more pixels, the slope along each gets smaller; weighted by their number,
    the same change of the picture counts the same at any size. At 64x64 the weight is theirs.

    Args:
        gradients: of the logits with respect to the pictures, (B, S, S, C), or points (B, 2).

    Returns:
        A float32 scalar, 0 or more.
    """
    squares = ops.square(ops.reshape(gradients, (ops.shape(gradients)[0], -1)))
    of_pictures = len(gradients.shape) == 4
    scale = gradients.shape[1] * gradients.shape[2] / 64**2 if of_pictures else 1.0
    return 0.5 * scale * ops.mean(ops.sum(squares, axis=1))


def slope_gradients(discriminator, real, weight):
    """Which way the discriminator's weights make it steeper at real pictures.

    Args:
        discriminator: a `keras.Model`, (B, S, S, C) -> (B, 1) logits.
        real: (B, S, S, C) float32, or points (B, 2), as the discriminator sees them.
        weight: of the penalty.

    Returns:
        The gradients of `weight * slope_penalty`, one for each of its trainable variables.
    """
    values = [variable.value for variable in discriminator.trainable_variables]
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(real)
            logits = discriminator(real, training=True)
        penalty = weight * slope_penalty(inner.gradient(logits, real))
    # The last layer's bias has no part in the slope.
    return outer.gradient(penalty, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _cross_entropy(logits, target):
    return ops.mean(target * ops.softplus(-logits) + (1 - target) * ops.softplus(logits))
