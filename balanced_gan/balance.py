"""The rule of balance: which network trains, and how smooth the discriminator has to be."""

from typing import Any, TypeAlias

from keras import ops

Value: TypeAlias = Any  # a number, a NumPy array or a tensor

ACT_AT = 0.5  # share of the margin at which the generator starts to train alone
TEACHES_FROM = 0.15  # nats: below this gap the discriminator trains alone...
TEACHES_SHARE = 0.3  # ...or, where the margin is narrow, below this share of it

STRONGER = 1.2  # by how much a batch beyond the margin raises the weight of the R1 penalty
BEYOND = 0.05  # share of batches beyond the margin at which the weight stays as it is
STRONGEST = 100  # times the least weight


def whose_turn(gap: Value, margin: Value, streak: Value, max_streak: Value) -> Value:
    """Says whether the generator (True) or the discriminator (False) trains now.

    Both losses equal ln 2 when the discriminator cannot tell real from generated, so their
    difference shows which network lags: the one with the higher loss has more to learn.
    Training that network alone holds the gap, and costs one backward pass per batch instead
    of two. The gap is held a little above 0, where the discriminator still has something
    to teach: after the same 51,200 portraits KID was 0.067 instead of 0.077, diversity
    0.97 instead of 0.89 (one seed; benchmarks/ablations.md).

    Uses only comparisons, `&` and `|`: numbers, NumPy arrays and tensors all work, also
    inside a compiled graph.

    Example:

    >>> whose_turn(gap=0.9, margin=0.7, streak=1, max_streak=16)  # G lags
    True
    >>> whose_turn(gap=0.0, margin=0.7, streak=-1, max_streak=16)  # D teaches nothing
    False
    >>> whose_turn(gap=0.2, margin=0.7, streak=-1, max_streak=16)  # balanced: alternate
    True

    Args:
        gap: loss of the generator minus loss of the discriminator, in nats.
        margin: *e*, the gap to stay below, in nats. At 0 the lagging network always
            trains.
        streak: how many batches in a row the same network has trained so far:
            positive for the generator, negative for the discriminator, 0 at the start.
        max_streak: most turns in a row for one network, however far it lags, so that a
            saturated loss cannot shut out the other one forever.

    Returns:
        A bool, or a boolean array or tensor if the arguments are arrays or tensors.
    """
    # 1. Once half of the margin is used up, the generator trains. Waiting for the whole margin
    #    would be too late: a batch's gap scatters around its mean by 0.2 to 0.3 nats in batches of
    #    8 to 32, so the mean would sit on the edge, with every second batch beyond it.
    generator_lags = gap >= ACT_AT * margin
    # 2. A discriminator that cannot tell real from generated teaches the generator nothing. It
    #    trains until it is a little ahead.
    teaches = (gap > TEACHES_FROM) | (gap > TEACHES_SHARE * margin)
    # 3. In between they alternate: the one that did not train last.
    generator = generator_lags | (teaches & (streak < 0))
    # 4. Whatever the gap, after max_streak turns in a row the other one trains.
    return (generator & (streak < max_streak)) | (streak <= -max_streak)


def next_streak(streak: Value, generator_turn: Value) -> Value:
    """The streak after a turn: one longer if the same network trained again, else 1 or -1.

    Args:
        streak: the signed count before the turn, as in `whose_turn`.
        generator_turn: 1 (or True) if the generator has just trained, else 0.

    Returns:
        The signed count after the turn, of the same type as `streak`.
    """
    sign = 2 * generator_turn - 1
    already = (abs(streak) + sign * streak) // 2  # |streak| if the same network, else 0
    return sign * (already + 1)


def next_r1_weight(weight: Value, gap: Value, margin: Value, least: Value) -> Any:
    """The weight of the R1 penalty after a batch.

    Turns alone cannot hold a discriminator that spots generated pictures at a glance. The penalty
    can: the steeper the discriminator, the more it costs, and a smooth one is less sure of itself
    but still learns. So its weight rises while the discriminator is too far ahead, and falls again
    once fewer than one batch in 20 is beyond the margin. In the first 1,600 batches, drawn houses
    stay within the margin on 93 % of them instead of 57 %, letters on 93 % instead of 75 %
    (seed 0; benchmarks/ablations.md).

    Example:

    >>> weight = next_r1_weight(weight=1.0, gap=0.9, margin=0.7, least=0.2)  # D is too far ahead
    >>> round(float(weight), 3)
    1.2

    Args:
        weight: the weight before, `least` at the start.
        gap, margin: as in `whose_turn`.
        least: `Settings.r1`; 0 for no penalty at all.

    Returns:
        A tensor in [least, `STRONGEST` * least].
    """
    weaker = STRONGER ** (-BEYOND / (1 - BEYOND))
    changed = weight * ops.where(gap >= margin, STRONGER, weaker)
    return ops.clip(changed, least, STRONGEST * least)


def repeat_again(
    gap: Value, first_gap: Value, margin: Value, repeats: Value, max_streak: Value
) -> Value:
    """Says whether the lagging network trains once more on the same batch.

    The rule's first form (`balance="two_step_repeat"`, preset original): both networks train on a
    batch, then the one with the higher loss again until the gap closes or changes sign.
    The original had no limit, and a loss that no longer moved repeated forever.

    Args:
        gap: loss of the generator minus loss of the discriminator now, in nats.
        first_gap: the same after both had trained once on this batch.
        margin: *e*, in nats.
        max_streak: most repeats.

    Returns:
        A bool, or a boolean array or tensor if the arguments are arrays or tensors.
    """
    return (abs(gap) > margin) & (gap * first_gap > 0) & (repeats < max_streak)
