"""The examples in docstrings are run."""

import doctest

import numpy as np
import pytest
import tensorflow as tf

import balanced_gan
from balanced_gan import BalancedGAN, balance, build_discriminator, build_generator

BLANK = tf.data.Dataset.from_tensors(np.zeros((4, 64, 64, 3), "float32"))
NAMES = {
    "build_generator": build_generator,
    "build_discriminator": build_discriminator,
    "dataset": BLANK,
}


@pytest.mark.parametrize("where", [balanced_gan, balance, BalancedGAN], ids=lambda x: x.__name__)
def test_examples(where, capsys):
    found = doctest.DocTestFinder(recurse=where is balance).find(where, globs=None)
    examples = [test for test in found if test.examples]
    assert examples
    for test in examples:
        test.globs |= NAMES
        result = doctest.DocTestRunner().run(test)
        assert result.failed == 0, capsys.readouterr().out
