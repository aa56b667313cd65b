"""The two losses, as functions of the discriminator's logits, and the R1 penalty.

Both losses are means of binary cross-entropies in nats. Both equal ln 2 = 0.693 when the
discriminator cannot tell real from generated pictures (all logits 0). This common value makes
their difference, the gap, a measure of balance. The usual *sum* of the discriminator's two terms
would be ln 4 there and would bias the rule towards the discriminator.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops


def generator_loss(generated_logits: tf.Tensor) -> tf.Tensor:
    """Non-saturating loss (Goodfellow et al. 2014, section 3): -log D(G(z)).

    Args:
        generated_logits: logits for generated pictures, (B, 1); positive means "looks real".

    Returns:
        A non-negative float32 scalar in nats.
    """
    return ops.mean(ops.softplus(-generated_logits))


def discriminator_loss(
    real_logits: tf.Tensor, generated_logits: tf.Tensor, label_noise: float | tf.Tensor = 0.0
) -> tf.Tensor:
    """Mean of -log D(x) for real pictures and -log(1 - D(G(z))) for generated ones.

    Args:
        real_logits: logits for real pictures, (B, 1).
        generated_logits: logits for generated pictures, (B, 1).
        label_noise: distance of the targets from 1 and 0, a number or (B, 1) in [0, 0.5]
            (label smoothing, Salimans et al. 2016, section 3.4).

    Returns:
        A non-negative float32 scalar in nats.
    """
    real = _cross_entropy(real_logits, 1 - label_noise)
    generated = _cross_entropy(generated_logits, label_noise)
    return 0.5 * (real + generated)


def r1_penalty(gradients: tf.Tensor) -> tf.Tensor:
    """The R1 penalty: how steep the discriminator is at real pictures.

    It keeps the discriminator from telling pictures apart by ever smaller details, and the
    generator from chasing it in circles (Mescheder et al. 2018, arXiv 1801.04406, equation 9).

    The more pixels a picture has, the smaller the gradient of each. The penalty is therefore
    scaled by the number of pixels, so that the same change of the picture counts the same at any
    size. At 64x64 the scale is 1, as in the paper.

    Args:
        gradients: gradients of the logits with respect to the pictures, (B, S, S, C), or to
            points, (B, 2).

    Returns:
        A non-negative float32 scalar.
    """
    squares = ops.square(ops.reshape(gradients, (ops.shape(gradients)[0], -1)))
    of_pictures = len(gradients.shape) == 4
    scale = gradients.shape[1] * gradients.shape[2] / 64**2 if of_pictures else 1.0
    return 0.5 * scale * ops.mean(ops.sum(squares, axis=1))


def r1_gradients(
    discriminator: keras.Model, real: tf.Tensor, weight: float | tf.Tensor
) -> Sequence[tf.Tensor]:
    """The gradients of the R1 penalty with respect to the discriminator's weights.

    Args:
        discriminator: (B, S, S, C) -> (B, 1) logits.
        real: (B, S, S, C) float32, or points (B, 2), after any augmentation.
        weight: of the penalty.

    Returns:
        The gradients of `weight * r1_penalty`, one for each trainable variable.
    """
    values = [variable.value for variable in discriminator.trainable_variables]
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(real)
            logits = discriminator(real, training=True)
        penalty = weight * r1_penalty(inner.gradient(logits, real))
    # The bias of the last layer does not affect the penalty.
    return outer.gradient(penalty, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _cross_entropy(logits, target):
    return ops.mean(target * ops.softplus(-logits) + (1 - target) * ops.softplus(logits))
