"""Convolutions that halve or double a picture, computed in less time than TensorFlow takes."""

import tensorflow as tf

# Side of the larger picture up to which `kernel_gradient` pays. From 16x16 to 8x8 it takes 1.7 ms
# instead of 2.6, from 8x8 to 4x4 1.0 instead of 2.3, from 32x32 to 16x16 1.9 instead of 2.1, and
# then bias and LeakyReLU are a pass of their own (16 pictures, bfloat16, benchmarks/layers.py).
_LARGEST = 16
# Side of the smaller picture up to which `nine_products` pay (benchmarks/layers.py). Not in
# bfloat16, which rounds them before they are added up: faces kept a pattern of dots.
_NINE_UP_TO = {"float32": 16}


def halve(pictures: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolution with a 4x4 kernel and stride two.

    Args:
        pictures: (B, 2 S, 2 S, C).
        kernel: (4, 4, C, D) of the same dtype.

    Returns:
        (B, S, S, D).
    """
    fast = pictures.shape[1] <= _LARGEST
    return _halve(pictures, kernel) if fast else _plainly_halve(pictures, kernel)


def double(pictures: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Transposed convolution with a 4x4 kernel and stride two: the gradient of `halve`.

    Args:
        pictures: (B, S, S, D).
        kernel: (4, 4, C, D) of the same dtype.

    Returns:
        (B, 2 S, 2 S, C).
    """
    fast = 2 * pictures.shape[1] <= _LARGEST
    return _double(pictures, kernel) if fast else _plainly_double(pictures, kernel)


def kernel_gradient(larger: tf.Tensor, smaller: tf.Tensor) -> tf.Tensor:
    """How the kernel changes `halve` and `double`, as eight products of matrices.

    oneDNN's own gradient of a kernel is, where pictures are small and channels many, two to three
    times as slow as its product of matrices.

    Args:
        larger: what `halve` read, or the gradient of what `double` gave, (B, 2 S, 2 S, C).
        smaller: the gradient of what `halve` gave, or what `double` read, (B, S, S, D).

    Returns:
        (4, 4, C, D).
    """
    side, filters, channels = smaller.shape[1], smaller.shape[3], larger.shape[3]
    padded = tf.pad(larger, [[0, 0], [1, 1], [1, 1], [0, 0]])
    # Two rows belong to each row of the smaller picture, and two columns to each column.
    pairs = tf.reshape(padded, (-1, side + 1, 2, side + 1, 2 * channels))
    smaller = tf.reshape(smaller, (-1, filters))
    products = []
    for row in range(4):
        for pair in range(2):  # of the kernel's columns
            met = pairs[:, row // 2 : row // 2 + side, row % 2, pair : pair + side]
            met = tf.reshape(met, (-1, 2 * channels))
            products.append(tf.matmul(met, smaller, transpose_a=True))
    return tf.reshape(tf.stack(products), (4, 4, channels, filters))


def _plainly_halve(pictures, kernel):
    return tf.nn.conv2d(pictures, kernel, 2, "SAME")


def _plainly_double(pictures, kernel):
    side = 2 * pictures.shape[1]
    shape = tf.stack([tf.shape(pictures)[0], side, side, kernel.shape[2]])
    return tf.nn.conv2d_transpose(pictures, kernel, shape, 2, "SAME")


# Each one's gradient calls the other, so that R1, a gradient of a gradient, is fast too.
@tf.custom_gradient
def _halve(pictures, kernel):
    def gradient(upstream):
        return double(upstream, kernel), kernel_gradient(pictures, upstream)

    return _plainly_halve(pictures, kernel), gradient


@tf.custom_gradient
def _double(pictures, kernel):
    def gradient(upstream):
        return halve(upstream, kernel), kernel_gradient(upstream, pictures)

    return _plainly_double(pictures, kernel), gradient


def upsample_and_convolve(pictures: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Nearest-neighbour upsampling by two and a 3x3 convolution, without the upsampled picture: by
    `nine_products` where the picture is small, else by `sixteen_products`.

    Args:
        pictures: (B, S, S, C).
        kernel: (3, 3, C, D) of the same dtype.

    Returns:
        (B, 2 S, 2 S, D).
    """
    few = pictures.shape[1] <= _NINE_UP_TO.get(kernel.dtype.name, 0)
    return nine_products(pictures, kernel) if few else sixteen_products(pictures, kernel)


@tf.custom_gradient
def nine_products(pictures: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`upsample_and_convolve` with 9 products for each pixel of the smaller picture, where the
    upsampled picture would need 36.

    Along an axis, with taps a, b, c and s = a + b + c, pixel i becomes the two pixels
    s x[i] - a (x[i] - x[i-1]) and s x[i] + c (x[i+1] - x[i]): the products with s, a and c are
    enough. Three times three for both axes are one product of matrices. The rest are sums, which
    cost more than they save where the picture is wide.
    """
    side, channels, filters = pictures.shape[1], *kernel.shape[2:]
    flat = tf.reshape(pictures, (1, -1, channels))
    nine = tf.reshape(_sums_and_ends(kernel), (9, channels, filters))

    def gradient(upstream):
        # As below, backwards: first columns, then rows.
        pairs = tf.reshape(upstream, (-1, 2 * side, side, 2, filters))
        products = tf.stack(_unspread(*tf.unstack(pairs, axis=3), axis=2))
        pairs = tf.reshape(products, (3, -1, side, 2, side, filters))
        products = tf.stack(_unspread(*tf.unstack(pairs, axis=3), axis=2))
        products = tf.reshape(products, (9, -1, filters))
        of_pictures = tf.reduce_sum(tf.matmul(products, nine, transpose_b=True), axis=0)
        of_nine = tf.matmul(flat, products, transpose_a=True)
        of_kernel = _gradient_of_sums_and_ends(tf.reshape(of_nine, kernel.shape))
        return tf.reshape(of_pictures, tf.shape(pictures)), of_kernel

    products = tf.reshape(tf.matmul(flat, nine), (3, 3, -1, side, side, filters))
    rows = tf.stack(_spread(*tf.unstack(products), axis=2), axis=3)
    rows = tf.reshape(rows, (3, -1, 2 * side, side, filters))
    both = tf.stack(_spread(*tf.unstack(rows), axis=2), axis=3)
    return tf.reshape(both, (-1, 2 * side, 2 * side, filters)), gradient


def sixteen_products(pictures: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`upsample_and_convolve` as a transposed convolution of stride two.

    After upsampling, the three taps of the kernel along an axis fall on only two different pixels.
    Four taps, sums of the three, do the same with 16 products for each pixel of the smaller one.
    """
    kernel = tf.transpose(kernel, (0, 1, 3, 2))
    for axis in (0, 1):
        first, middle, last = tf.unstack(kernel, axis=axis)
        kernel = tf.stack([last, middle + last, first + middle, first], axis=axis)
    return double(pictures, kernel)


def _sums_and_ends(kernel):
    """(3, 3, C, D): along both axes, the sum of the three taps, the first and the last."""
    for axis in (0, 1):
        first, middle, last = tf.unstack(kernel, axis=axis)
        kernel = tf.stack([first + middle + last, first, last], axis=axis)
    return kernel


def _gradient_of_sums_and_ends(upstream):
    for axis in (0, 1):
        whole, first, last = tf.unstack(upstream, axis=axis)
        upstream = tf.stack([whole + first, whole, whole + last], axis=axis)
    return upstream


def _spread(whole, first, last, axis):
    """The even and the odd pixels of the larger picture from an axis's three products."""
    return whole - first + _moved(first, 1, axis), whole - last + _moved(last, -1, axis)


def _unspread(even, odd, axis):
    """The gradients of an axis's three products: the transpose of `_spread`."""
    return even + odd, _moved(even, -1, axis) - even, _moved(odd, 1, axis) - odd


def _moved(x, places, axis):
    """Moved along an axis by one place, up (1) or down (-1); zeros come in."""
    padding = [[0, 0]] * x.shape.rank
    padding[axis] = [1, 0] if places > 0 else [0, 1]
    kept = slice(0, -1) if places > 0 else slice(1, None)
    return tf.pad(x[(slice(None),) * axis + (kept,)], padding)
