"""The two losses, as functions of the discriminator's logits.

Both are means of binary cross-entropies in nats and equal ln 2 = 0.693 when the
discriminator cannot tell real from generated (all logits 0). That common zero point
is what makes their difference, the gap, a measure of balance: the usual *sum* of the
discriminator's two terms would rest at ln 4 and tilt the rule towards it.
"""

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


def _cross_entropy(logits, target):
    return ops.mean(target * ops.softplus(-logits) + (1 - target) * ops.softplus(logits))
