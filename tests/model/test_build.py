import time
from collections import Counter

import pytest
import tensorflow as tf

from balanced_gan import processor
from balanced_gan.model import build
from balanced_gan.model.build import faster_precision
from balanced_gan.settings import Settings


@pytest.fixture
def bfloat16_instructions(monkeypatch):
    monkeypatch.setattr(processor, "may_have_bfloat16", lambda: True)


def test_without_bfloat16_float32_is_taken(monkeypatch, bfloat16_instructions):
    convolve = tf.nn.conv2d

    def no_bfloat16(pictures, *args):
        if pictures.dtype == tf.bfloat16:
            raise tf.errors.AbortedError(None, None, "could not create a primitive descriptor")
        return convolve(pictures, *args)

    monkeypatch.setattr(tf.nn, "conv2d", no_bfloat16)
    assert faster_precision() == ("float32", 0.0)


def test_nothing_is_timed_where_the_processor_has_no_bfloat16(monkeypatch):
    monkeypatch.setattr(processor, "may_have_bfloat16", lambda: False)
    monkeypatch.setattr(tf, "function", None)
    assert faster_precision() == ("float32", 0.0)


@pytest.mark.parametrize("has_gpu", [False, True])
def test_emulated_bfloat16_is_given_up_after_one_timed_call(monkeypatch, has_gpu):
    # With a GPU it is timed whatever the processor can do.
    monkeypatch.setattr(processor, "may_have_bfloat16", lambda: not has_gpu)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["it"] * has_gpu)
    calls = Counter()

    def compiled(**options):
        def call(pictures, kernel):
            calls[pictures.dtype.name] += 1
            time.sleep(2 * build._TIMED_SECONDS if pictures.dtype == tf.bfloat16 else 0.001)

        return lambda function: call

    monkeypatch.setattr(tf, "function", compiled)
    precision, ratio = faster_precision()
    assert precision == "float32" and 0 < ratio < 0.1
    assert calls["bfloat16"] == 2  # the first one compiles and is not timed
    assert calls["float32"] > 2  # which is not given up


def test_only_the_discriminators_learning_rate_warms_up():
    gan = build.build_gan(Settings(image_size=32, width=4, precision="float32"))
    assert float(gan.generator_optimizer.learning_rate) == pytest.approx(8e-4)
    assert float(gan.discriminator_optimizer.learning_rate) == pytest.approx(8e-6)
