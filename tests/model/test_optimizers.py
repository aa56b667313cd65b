import keras
import numpy as np
import pytest

from balanced_gan.model.optimizers import LearningRate, build_optimizer


def rates(optimizer, turns):
    """The learning rate of each of so many turns."""
    weight = keras.Variable([0.0])
    seen = []
    for _ in range(turns):
        seen.append(float(optimizer.learning_rate))
        optimizer.apply([np.ones(1, "float32")], [weight])
    return seen


def constant(**changes):
    """An optimizer of rate 0.1 that does not change, unless asked to."""
    return build_optimizer(LearningRate(0.1, **{"decay": 0.0} | changes))


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, [0.1, 0.1, 0.1]),
        ({"decay": 0.5}, [0.1, 0.1 / 1.5, 0.1 / 2, 0.1 / 2.5]),
        ({"warm_up": 4}, [0.025, 0.05, 0.075, 0.1, 0.1]),
        (
            {"warm_up": 2, "decay": 0.5},
            [0.05, 0.1 / 1.5, 0.1 / 2],
        ),
    ],
)
def test_learning_rate_rises_and_then_falls_with_the_turns(changes, expected):
    np.testing.assert_allclose(rates(constant(**changes), len(expected)), expected, rtol=1e-6)


def test_a_variable_factor_counts_from_the_next_turn_on():
    factor = keras.Variable(1.0)
    optimizer = constant(factor=factor)
    assert float(optimizer.learning_rate) == pytest.approx(0.1)
    factor.assign(0.25)
    assert float(optimizer.learning_rate) == pytest.approx(0.025)


@pytest.mark.parametrize(
    "name, kind", [("adam", keras.optimizers.Adam), ("rmsprop", keras.optimizers.RMSprop)]
)
def test_kinds_and_clipping(name, kind):
    optimizer = build_optimizer(0.1, name, clip_value=0.5)
    assert isinstance(optimizer, kind) and optimizer.clipvalue == 0.5
    assert build_optimizer(0.1, name).clipvalue is None


def test_betas():
    assert (build_optimizer(0.1).beta_1, build_optimizer(0.1).beta_2) == (0.0, 0.99)
    optimizer = build_optimizer(0.1, beta_1=0.0005, beta_2=0.999)
    assert (optimizer.beta_1, optimizer.beta_2) == (0.0005, 0.999)
