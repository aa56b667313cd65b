"""Convolutions that halve or double the picture's side, faster than TensorFlow's own."""

import tensorflow as tf

# Largest side of the larger picture for which `kernel_gradient` is used. oneDNN's own takes 1.6 of
# its time from 16x16 to 8x8 and 2.3 from 8x8 to 4x4, but the same from 32x32 to 16x16 (16 pictures,
# bfloat16; on AVX2 1.04, 1.13 and 1.05; benchmarks/speed/layers.py).
_LARGEST = 16
# Largest side of the smaller picture for which `nine_products` is used
# (benchmarks/speed/layers.py). It is not used in bfloat16, which rounds the products before they
# are summed: faces kept a dot pattern.
_NINE_UP_TO = {"float32": 16}


def conv_down(pictures: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolution with a 4x4 kernel and stride 2.

    Args:
        pictures: (B, 2 S, 2 S, C).
        kernel: (4, 4, C, D) of the same dtype.

    Returns:
        (B, S, S, D).
    """
    fast = pictures.shape[1] <= _LARGEST
    return _fast_conv_down(pictures, kernel) if fast else _plain_conv_down(pictures, kernel)


def conv_up(pictures: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Transposed convolution with a 4x4 kernel and stride 2: the gradient of `conv_down`.

    Args:
        pictures: (B, S, S, D).
        kernel: (4, 4, C, D) of the same dtype.

    Returns:
        (B, 2 S, 2 S, C).
    """
    fast = 2 * pictures.shape[1] <= _LARGEST
    return _fast_conv_up(pictures, kernel) if fast else _plain_conv_up(pictures, kernel)


def kernel_gradient(larger: tf.Tensor, smaller: tf.Tensor) -> tf.Tensor:
    """The kernel's gradient in `conv_down` and `conv_up`, as eight matrix products.

    For small pictures with many channels, oneDNN's own kernel gradient takes up to 3.2 times as
    long in bfloat16, and up to 1.3 times on AVX2.

    Args:
        larger: the input of `conv_down`, or the gradient of the output of `conv_up`,
            (B, 2 S, 2 S, C).
        smaller: the gradient of the output of `conv_down`, or the input of `conv_up`,
            (B, S, S, D).

    Returns:
        (4, 4, C, D).
    """
    side, filters, channels = smaller.shape[1], smaller.shape[3], larger.shape[3]
    padded = tf.pad(larger, [[0, 0], [1, 1], [1, 1], [0, 0]])
    # Each row of the smaller picture corresponds to two rows here, and each column to two columns.
    pairs = tf.reshape(padded, (-1, side + 1, 2, side + 1, 2 * channels))
    smaller = tf.reshape(smaller, (-1, filters))
    products = []
    for row in range(4):
        for pair in range(2):  # of the kernel's columns
            met = pairs[:, row // 2 : row // 2 + side, row % 2, pair : pair + side]
            met = tf.reshape(met, (-1, 2 * channels))
            products.append(tf.matmul(met, smaller, transpose_a=True))
    return tf.reshape(tf.stack(products), (4, 4, channels, filters))


def _plain_conv_down(pictures, kernel):
    return tf.nn.conv2d(pictures, kernel, 2, "SAME")


def _plain_conv_up(pictures, kernel):
    side = 2 * pictures.shape[1]
    shape = tf.stack([tf.shape(pictures)[0], side, side, kernel.shape[2]])
    return tf.nn.conv2d_transpose(pictures, kernel, shape, 2, "SAME")


# The gradient of each calls the other, so the R1 penalty, a gradient of a gradient, is fast too.
@tf.custom_gradient
def _fast_conv_down(pictures, kernel):
    def gradient(upstream):
        return conv_up(upstream, kernel), kernel_gradient(pictures, upstream)

    return _plain_conv_down(pictures, kernel), gradient


@tf.custom_gradient
def _fast_conv_up(pictures, kernel):
    def gradient(upstream):
        return conv_down(upstream, kernel), kernel_gradient(upstream, pictures)

    return _plain_conv_up(pictures, kernel), gradient


def upsample_and_convolve(pictures: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Nearest-neighbour upsampling by 2 and a 3x3 convolution.

    The upsampled picture is never built. Small pictures use `nine_products`, larger ones
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
    nine = tf.reshape(_sums_and_ends(kernel), (9, channels, filters))

    def gradient(upstream):
        # The steps below in reverse: first columns, then rows.
        pairs = tf.reshape(upstream, (-1, 2 * side, side, 2, filters))
        products = tf.stack(_unspread(tf.unstack(pairs, axis=3), axis=2))
        pairs = tf.reshape(products, (3, -1, side, 2, side, filters))
        products = tf.stack(_unspread(tf.unstack(pairs, axis=3), axis=2))
        products = tf.reshape(products, (9, -1, filters))
        of_pictures = tf.reduce_sum(tf.matmul(products, nine, transpose_b=True), axis=0)
        of_nine = tf.matmul(flat, products, transpose_a=True)
        of_kernel = _gradient_of_sums_and_ends(tf.reshape(of_nine, kernel.shape))
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
    for axis in (0, 1):
        first, middle, last = tf.unstack(kernel, axis=axis)
        kernel = tf.stack([last, middle + last, first + middle, first], axis=axis)
    return conv_up(pictures, kernel)


def _sums_and_ends(kernel):
    """(3, 3, C, D): the sum of the three taps, the first and the last, along both axes."""
    for axis in (0, 1):
        first, middle, last = tf.unstack(kernel, axis=axis)
        kernel = tf.stack([first + middle + last, first, last], axis=axis)
    return kernel


def _gradient_of_sums_and_ends(upstream):
    for axis in (0, 1):
        whole, first, last = tf.unstack(upstream, axis=axis)
        upstream = tf.stack([whole + first, whole, whole + last], axis=axis)
    return upstream


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
