"""The warm start: new networks begin with the weights of trained ones.

The first steps mostly teach what all pictures have in common: edges, surfaces, an object in front
of a background. Networks that know this from other pictures need fewer steps. Both networks are
needed: against an untrained discriminator, a good generator soon forgets what it learned
(Grigoryev et al. 2022, arXiv 2202.08937).

Two starts come with this package. They were made by benchmarks/quality/make_start.py, and
starts/README.md says what they were trained on. Any run with the networks "light" can serve as a
start too.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from balanced_gan.errors import InputError
from balanced_gan.model.growing import grow, last_stage
from balanced_gan.model.layers import UpsampledConv2D

FOLDER = Path(__file__).parents[1] / "starts"
COMPARED = 256  # the user's pictures, and a start's own, that the choice is based on
_SHORT_OF_1 = 0.95  # scales pixels, because the inverse of tanh is infinite for black and white
_BLUR = 0.01  # noise that tells copied channels apart, as a share of their deviation


class Start(NamedTuple):
    """The weights that new networks begin with."""

    name: str
    # Keys such as "generator/x4/kernel", where x4 is the stage at four times the side of the base.
    # A shipped start also has "outlines" of its own pictures, for `training.choose_start`.
    arrays: Mapping[str, NDArray]


def parts(generator: keras.Model, discriminator: keras.Model) -> dict[str, keras.Variable]:
    """Names the variables of the networks "light" by their stage.

    Stages are counted from the base, so that networks for pictures of different sizes share most
    of the names.

    Returns:
        For example `{"generator/x4/kernel": variable, "discriminator/x1/bias": ...}`.
    """
    named: dict[str, keras.Variable] = {}
    times = 1
    for layer in generator.layers:
        times *= 2 if isinstance(layer, UpsampledConv2D) else 1
        last = isinstance(layer, keras.layers.Conv2D) and not isinstance(layer, UpsampledConv2D)
        place = "/pictures" if last else ""
        named |= {f"generator/x{times}{place}/{each.name}": each for each in layer.weights}
    place = "/pictures"
    for layer in discriminator.layers:
        last = isinstance(layer, keras.layers.Dense)
        times //= 2 if isinstance(layer, keras.layers.Conv2D) else 1
        at = "logits" if last else f"x{times}{place}"
        named |= {f"discriminator/{at}/{each.name}": each for each in layer.weights}
        place = "" if layer.weights else place
    return named


def arrays_of(generator: keras.Model, discriminator: keras.Model) -> dict[str, NDArray[np.float32]]:
    """The weights of trained networks "light", as in `Start.arrays`.

    Args:
        generator: as `build_networks` makes it, best with the weights of the averaged one.
    """
    named = parts(generator, discriminator)
    return {name: np.asarray(variable.numpy()) for name, variable in named.items()}


def load_arrays(file: Path) -> dict[str, NDArray[np.float32]]:
    """Loads weights that come with this package.

    Raises:
        InputError: if the file is missing or damaged.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {key: stored[key].astype(np.float32) for key in stored.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"The program's own {file.name} cannot be read: {error}.") from None


def load_shipped(name: str) -> Start:
    """Loads a start that comes with this package, one of `settings.STARTS`.

    Raises:
        InputError: if its file is missing or damaged.
    """
    return Start(name, load_arrays(FOLDER / f"{name}.npz"))


def apply_start(gan: keras.Model, start: Start, samples: NDArray[np.uint8]) -> None:
    """Gives new networks the weights of a start.

    Stages are added if the pictures are larger than those of the start. Variables without a
    counterpart in the start are left unchanged.

    Args:
        gan: an untrained `BalancedGAN` with the networks "light".
        samples: the training pictures, uint8 (N, S, S, C).
    """
    random = np.random.default_rng(0)
    named = parts(gan.generator, gan.discriminator)
    start = start._replace(arrays=_grown(start.arrays, named, samples, random))
    of_base = {"generator": "generator/x1/gamma", "discriminator": "discriminator/x1/bias"}
    channels = {
        network: (start.arrays[name].size, named[name].shape[0])
        for network, name in of_base.items()
    }
    for name, variable in named.items():
        if name not in start.arrays:
            continue
        array, shape = start.arrays[name], tuple(variable.shape)
        if name in ("generator/x1/kernel", "discriminator/logits/kernel"):
            array = _fit_places(array, shape, *channels[name.split("/")[0]], name, random)
        variable.assign(_fit(array, shape, name, random))
    gan.ema_generator.set_weights(gan.generator.get_weights())


def _grown(arrays, named, samples, random):
    """Adds stages to the arrays of a start, up to the number of stages in `named`.

    It stops at stages that are too narrow to pass pictures on.
    """
    last, wanted = last_stage(arrays), last_stage(named)
    if last >= wanted:
        return arrays
    channels = {
        times: named[f"generator/x{times}/gamma"].shape[0]
        for times in (last * 2**more for more in range(round(np.log2(wanted / last)) + 1))
    }
    count = len(arrays[f"generator/x{last}/pictures/bias"])
    before_tanh = np.arctanh((np.asarray(samples[:COMPARED]) / 127.5 - 1) * _SHORT_OF_1)
    if count == 1:
        before_tanh = before_tanh.mean(-1, keepdims=True)
    mean, deviation = (
        np.broadcast_to(value, count)
        for value in (before_tanh.mean((0, 1, 2)), before_tanh.std((0, 1, 2)))
    )
    while last < wanted and min(channels[last], channels[2 * last]) >= 2 * count:
        arrays = grow(arrays, channels, mean, deviation, random)
        last *= 2
    return arrays


def _fit_places(array, shape, have, need, name, random):
    """Fits a dense kernel to a base with another side or other channels.

    The kernel leads from the latents to the base, (L, b * b * C), or from the base to the logit,
    (b * b * C, 1).
    """
    of_generator = name.startswith("generator")
    rows = array if of_generator else array.T
    side, wanted = (
        round((size / channels) ** 0.5)
        for size, channels in ((array.size // len(rows), have), (shape[of_generator], need))
    )
    maps = rows.reshape(len(rows), side, side, have)
    if side != wanted:
        maps = ops.image.resize(maps, (wanted, wanted), data_format="channels_last").numpy()
        maps = maps if of_generator else maps * (side / wanted) ** 2  # keeps the sum
    if not of_generator:  # its channels are inputs, whose copies share one weight
        maps = _fit(maps[..., None], (1, wanted, wanted, need, 1), "kernel", random)
    else:
        maps = _fit(maps, (len(rows), wanted, wanted, need), "", random)
    return maps.reshape(-1, wanted * wanted * need) if of_generator else maps.reshape(-1, 1)


def _fit(array, shape, name, random):
    """Fits an array to the shape that a network needs.

    Missing channels are copies of existing ones. Copies of an input channel share its weight, so
    the network's output stays the same (Chen et al. 2016, arXiv 1511.05641). Surplus channels are
    dropped. Grey pictures get the mean of the colours.
    """
    for axis, size in enumerate(shape):
        have = array.shape[axis]
        if have == size:
            continue
        inwards = name.endswith("kernel") and axis == array.ndim - 2
        if size == 1:  # grey from colours
            array = array.sum(axis, keepdims=True) / (1 if inwards else have)
            continue
        index = np.arange(size) % have
        array = np.take(array, index, axis)
        if inwards:
            share = 1 / np.bincount(index, minlength=have)[index]
            array = array * share.reshape(-1, 1)
        if size > have > 1:
            array = array + _BLUR * array.std() * random.normal(size=array.shape)
    return array.astype(np.float32)
