"""The rule of balance: which network trains on this batch."""

ACT_AT = 0.5  # share of the margin from which on the generator trains alone
TEACHES_FROM = 0.15  # nats: below that gap the discriminator trains alone...
TEACHES_SHARE = 0.3  # ...and where the margin is narrow, below this share of it


def whose_turn(gap, margin, streak, max_streak):
    """Says whether the generator (True) or the discriminator (False) trains now.

    Both losses equal ln 2 when nobody can tell real from generated, so their
    difference says who lags: the network with the higher loss has more to learn.
    Training that network alone holds the gap, and costs one backward pass a batch instead
    of two. The gap is held a little above 0, where the discriminator still has something
    to teach: after the same 51,200 portraits KID was 0.067 instead of 0.077, diversity
    0.97 instead of 0.89 (one seed; benchmarks/ablations.md).

    Uses only comparisons, `&` and `|`: floats, NumPy arrays and tensors all work,
    inside a compiled graph too.

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
        streak: how many batches in a row the same network has trained until now:
            positive for the generator, negative for the discriminator, 0 at the start.
        max_streak: nobody trains more often than this in a row, however far it lags,
            so that a saturated loss cannot shut the other network out for ever.

    Returns:
        A bool, or a boolean array or tensor where the arguments are such.
    """
    # 1. Once half of the margin is used up, the generator trains. Not at the margin itself,
    #    because a batch's gap scatters around its mean, by 0.2 to 0.3 nats in batches of 8 to 32:
    #    whoever waits for all of it sits on its edge, with every second batch beyond it.
    generator_lags = gap >= ACT_AT * margin
    # 2. A discriminator that cannot tell real from generated teaches the generator nothing. So
    #    until it is a little ahead, it trains.
    teaches = (gap > TEACHES_FROM) | (gap > TEACHES_SHARE * margin)
    # 3. In between they alternate: whoever did not train last.
    generator = generator_lags | (teaches & (streak < 0))
    # 4. Whatever the gap: after max_streak turns in a row it is the other's turn.
    return (generator & (streak < max_streak)) | (streak <= -max_streak)


def next_streak(streak, generator_turn):
    """The streak after a turn: one longer if the same network trained again, else 1 or -1.

    Args:
        streak: the signed count before the turn, as in `whose_turn`.
        generator_turn: 1 (or True) if the generator has just trained, else 0.

    Returns:
        The signed count after the turn; floats and integer tensors alike.
    """
    sign = 2 * generator_turn - 1
    already = (abs(streak) + sign * streak) // 2  # |streak| if the same network, else 0
    return sign * (already + 1)


def repeat_again(gap, first_gap, margin, repeats, max_streak):
    """Says whether the lagging network trains once more on the same batch.

    The rule's first form (`balance="repeat"`, preset original): both networks train on a
    batch, then the one with the higher loss again until the gap closes or changes sign.
    Theirs knew no limit, and a loss that no longer moved repeated for ever.

    Args:
        gap: loss of the generator minus loss of the discriminator now, in nats.
        first_gap: the same after both had trained once on this batch.
        margin: *e*, in nats.
        repeats: how often the lagging network has trained again already.
        max_streak: most repeats.

    Returns:
        A bool, or a boolean array or tensor where the arguments are such.
    """
    return (abs(gap) > margin) & (gap * first_gap > 0) & (repeats < max_streak)
