import tensorflow as tf

from balanced_gan.building import faster_precision


def test_without_bfloat16_float32_is_taken(monkeypatch):
    convolve = tf.nn.conv2d

    def no_bfloat16(pictures, *args):
        if pictures.dtype == tf.bfloat16:
            raise tf.errors.AbortedError(None, None, "could not create a primitive descriptor")
        return convolve(pictures, *args)

    monkeypatch.setattr(tf.nn, "conv2d", no_bfloat16)
    assert faster_precision() == ("float32", 0.0)
