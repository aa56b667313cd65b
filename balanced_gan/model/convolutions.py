"""Nearest-neighbour upsampling by 2 and a 3x3 convolution, fused, with fewer products."""

import tensorflow as tf

# Largest side of the smaller picture for which `nine_products` is used; beyond it, the sums cost
# more than they save. With `sixteen_products` everywhere, a step takes 1.05 times as long on AVX2
# (benchmarks/speed/layers.py). It is not used in bfloat16, which rounds the products before they
# are summed: faces kept a dot pattern.
_NINE_UP_TO = {"float32": 16}


def upsample_and_convolve(pictures: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Nearest-neighbour upsampling by 2 and a 3x3 convolution.

    The upsampled picture is never built. Small pictures in float32 use `nine_products`, all others
    `sixteen_products`.

    Args:
        pictures: (B, S, S, C).
        kernel: (3, 3, C, D) of the same dtype.

    Returns:
        (B, 2 S, 2 S, D).
    """
    small = pictures.shape[1] <= _NINE_UP_TO.get(kernel.dtype.name, 0)
    return nine_products(pictures, kernel) if small else sixteen_products(pictures, kernel)


@tf.custom_gradient
def nine_products(pictures: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`upsample_and_convolve` with 9 products for each pixel of the smaller picture.

    The upsampled picture would need 36. Along one axis, with taps a, b, c and s = a + b + c,
    pixel i becomes the two pixels s x[i] - a (x[i] - x[i-1]) and s x[i] + c (x[i+1] - x[i]), so
    the products with s, a and c are enough. Both axes together take three times three products,
    computed as one matrix product. The rest are sums, which cost more than they save in a wide
    picture.
    """
    side = pictures.shape[1]
    channels, filters = kernel.shape[2:]
    flat = tf.reshape(pictures, (1, -1, channels))
    nine = _along_both_axes(kernel, lambda a, b, c: [a + b + c, a, c])
    nine = tf.reshape(nine, (9, channels, filters))

    def gradient(upstream):
        # The steps below in reverse: first columns, then rows. With TensorFlow's own gradient, a
        # step takes 1.11 times as long on AVX2 (benchmarks/speed/layers.py).
        pairs = tf.reshape(upstream, (-1, 2 * side, side, 2, filters))
        products = tf.stack(_unspread(tf.unstack(pairs, axis=3), axis=2))
        pairs = tf.reshape(products, (3, -1, side, 2, side, filters))
        products = tf.stack(_unspread(tf.unstack(pairs, axis=3), axis=2))
        products = tf.reshape(products, (9, -1, filters))
        of_pictures = tf.reduce_sum(tf.matmul(products, nine, transpose_b=True), axis=0)
        of_nine = tf.matmul(flat, products, transpose_a=True)
        of_nine = tf.reshape(of_nine, kernel.shape)
        of_kernel = _along_both_axes(of_nine, lambda s, a, c: [s + a, s, s + c])
        return tf.reshape(of_pictures, tf.shape(pictures)), of_kernel

    products = tf.reshape(tf.matmul(flat, nine), (3, 3, -1, side, side, filters))
    rows = tf.stack(_spread(tf.unstack(products), axis=2), axis=3)
    rows = tf.reshape(rows, (3, -1, 2 * side, side, filters))
    both = tf.stack(_spread(tf.unstack(rows), axis=2), axis=3)
    return tf.reshape(both, (-1, 2 * side, 2 * side, filters)), gradient


def sixteen_products(pictures: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`upsample_and_convolve` as a transposed convolution with stride 2.

    After upsampling, the kernel's three taps along an axis fall on only two different pixels. Four
    taps, each a sum of some of the three, give the same result with 16 products for each pixel of
    the smaller picture.
    """
    kernel = tf.transpose(kernel, (0, 1, 3, 2))
    kernel = _along_both_axes(kernel, lambda a, b, c: [c, b + c, a + b, a])
    side = 2 * pictures.shape[1]
    shape = tf.stack([tf.shape(pictures)[0], side, side, kernel.shape[2]])
    return tf.nn.conv2d_transpose(pictures, kernel, shape, 2, "SAME")


def _along_both_axes(kernel, combine):
    """Replaces the three taps along an axis by what `combine` makes of them, on both axes."""
    for axis in (0, 1):
        kernel = tf.stack(combine(*tf.unstack(kernel, axis=axis)), axis=axis)
    return kernel


def _spread(products, axis):
    """The even and odd pixels of the larger picture, from the three products along an axis."""
    whole, first, last = products
    return whole - first + _moved(first, 1, axis), whole - last + _moved(last, -1, axis)


def _unspread(pixels, axis):
    """The gradients of the three products along an axis: the transpose of `_spread`."""
    even, odd = pixels
    return even + odd, _moved(even, -1, axis) - even, _moved(odd, 1, axis) - odd


def _moved(x, places, axis):
    """Moves x along an axis by one place, up (1) or down (-1), and fills in zeros."""
    padding = [[0, 0]] * x.shape.rank
    padding[axis] = [1, 0] if places > 0 else [0, 1]
    kept = slice(0, -1) if places > 0 else slice(1, None)
    return tf.pad(x[(slice(None),) * axis + (kept,)], padding)
