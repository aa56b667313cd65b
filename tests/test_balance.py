import numpy as np
import pytest
import tensorflow as tf

from balanced_gan import whose_turn
from balanced_gan.balance import STRONGER, STRONGEST, next_r1_weight, next_streak, repeat_again

G, D = True, False
# gap, margin, streak, max_streak, who trains
TRUTH_TABLE = [
    (0.9, 0.5, 1, 16, G),  # past the margin the generator lags, again
    (0.9, 0.5, -3, 16, G),
    (-0.9, 0.5, 1, 16, D),  # the discriminator lags
    (-0.9, 0.5, -3, 16, D),
    (0.36, 0.7, 1, 16, G),  # the generator trains from half of the margin on
    (0.55, 1.0, 1, 16, G),
    (0.34, 0.7, 1, 16, D),  # in between whoever did not train last
    (0.34, 0.7, -1, 16, G),
    (0.16, 0.7, 5, 16, D),
    (0.16, 0.7, -5, 16, G),
    (0.16, 0.7, 0, 16, D),  # the first batch of all
    (0.14, 0.7, -1, 16, D),  # less than 0.15 nats ahead, the discriminator teaches nothing
    (0.0, 0.5, -5, 16, D),
    (0.5, 100.0, -1, 16, G),  # and that is enough, however wide the margin
    (0.02, 0.1, -1, 16, D),  # in a narrow one 0.3 of it are
    (0.04, 0.1, -1, 16, G),
    (9.0, 0.5, 15, 16, G),  # the cap on turns in a row
    (9.0, 0.5, 16, 16, D),
    (-9.0, 0.5, -15, 16, D),
    (-9.0, 0.5, -16, 16, G),
    (9.0, 0.5, 1, 1, D),  # a cap of 1 is strict alternation
    (0.001, 0.0, 3, 16, G),  # no margin: the lagging network, always
    (-0.001, 0.0, -3, 16, D),
    (0.0, 0.0, 3, 16, G),
]


@pytest.mark.parametrize("gap, margin, streak, max_streak, turn", TRUTH_TABLE)
def test_truth_table(gap, margin, streak, max_streak, turn):
    assert whose_turn(gap, margin, streak, max_streak) is turn


def test_tensors_give_the_same_table():
    gap, margin, streak, max_streak, turn = zip(*TRUTH_TABLE, strict=True)
    decide = tf.function(whose_turn)
    got = decide(*(tf.constant(x, tf.float32) for x in (gap, margin, streak, max_streak)))
    assert got.dtype == tf.bool
    np.testing.assert_array_equal(got, turn)


@pytest.mark.parametrize("as_type", [int, tf.constant])
@pytest.mark.parametrize(
    "streak, turn, after",
    [(0, 1, 1), (0, 0, -1), (3, 1, 4), (3, 0, -1), (-3, 0, -4), (-3, 1, 1)],
)
def test_streak_counts_turns_in_a_row(streak, turn, after, as_type):
    assert int(next_streak(as_type(streak), as_type(turn))) == after


def test_a_saturated_loss_shuts_nobody_out():
    streak, turns = 0, []
    for _ in range(40):
        turns.append(whose_turn(100.0, 0.5, streak, 4))
        streak = next_streak(streak, int(turns[-1]))
    assert turns == [G, G, G, G, D] * 8


@pytest.mark.parametrize(
    "weight, gap, after",
    [
        (0.2, 0.7, 0.2 * STRONGER),  # at the margin the discriminator is too far ahead
        (3.0, 9.0, 3.0 * STRONGER),
        (0.2 * STRONGEST, 0.9, 0.2 * STRONGEST),
        (0.2, 0.69, 0.2),  # never below the least
        (0.2, -0.9, 0.2),  # behind, it needs no penalty
    ],
)
def test_a_discriminator_beyond_the_margin_must_be_smoother(weight, gap, after):
    assert float(next_r1_weight(weight, gap, margin=0.7, least=0.2)) == pytest.approx(after)


def test_the_weight_settles_where_one_batch_in_20_is_beyond_the_margin():
    weight = 3.0
    for batch in range(20):
        weight = next_r1_weight(weight, 0.9 if batch == 7 else 0.1, margin=0.7, least=0.2)
    assert float(weight) == pytest.approx(3.0, rel=1e-4)


def test_no_penalty_stays_none():
    assert float(next_r1_weight(0.0, 9.0, margin=0.7, least=0.0)) == 0


@pytest.mark.parametrize(
    "gap, first_gap, margin, repeats, again",
    [
        (0.3, 0.5, 0.1, 0, True),  # still too far apart
        (-0.3, -0.5, 0.1, 0, True),
        (0.1, 0.5, 0.1, 0, False),  # closed
        (0.0, 0.5, 0.1, 0, False),
        (-0.3, 0.5, 0.1, 0, False),  # flipped
        (0.3, -0.5, 0.1, 0, False),
        (0.3, 0.5, 0.1, 15, True),
        (0.3, 0.5, 0.1, 16, False),  # often enough
    ],
)
def test_repeat_again(gap, first_gap, margin, repeats, again):
    assert repeat_again(gap, first_gap, margin, repeats, max_streak=16) == again
    tensors = [tf.constant(float(value)) for value in (gap, first_gap, margin)]
    assert bool(repeat_again(*tensors, tf.constant(repeats), 16)) == again
