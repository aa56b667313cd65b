"""The warm start: new networks begin as ones that have already learned to make pictures.

Of the first batches, most teach what all pictures have in common: edges, surfaces, an object
before a ground. Networks that know it from other pictures need fewer. Both networks are needed: a
good generator before an untrained discriminator soon forgets what it knew (Grigoryev et al. 2022,
arXiv 2202.08937).

Two starts come with this package, made by benchmarks/make_start.py; starts/README.md says what
they learned from. Every run of our own networks can be one as well.
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

import cv2
import keras
import numpy as np

from balanced_gan.building import build_gan
from balanced_gan.errors import InputError
from balanced_gan.features import OUTLINES, shape_and_colour
from balanced_gan.files import whole_file
from balanced_gan.growing import grow, last_stage
from balanced_gan.layers import UpsampledConv2D
from balanced_gan.metrics import kernel_distance
from balanced_gan.runs import find_run
from balanced_gan.sampling import load_network
from balanced_gan.settings import STARTS
from balanced_gan.sheets import to_uint8

FOLDER = Path(__file__).with_name("starts")
_COMPARED = 256  # of the user's pictures and of a start's, to choose by
_SHORT_OF_1 = 0.95  # black and white, of which the tanh's inverse is infinite
_BLUR = 0.01  # noise on copied channels, as a share of their deviation, so that they part


class Start(NamedTuple):
    """Networks to begin from."""

    name: str
    arrays: dict  # "generator/x4/kernel" -> array; x4: at four times the side of the base;
    # of a shipped one also "outlines", of its own pictures, which `choose_start` compares


def parts(gan):
    """The variables of both networks by the place of their layers, counted from the base, so that
    networks for other sizes of pictures have most of them in common.

    Args:
        gan: a `BalancedGAN` of our own networks.

    Returns:
        A dict such as `{"generator/x4/kernel": variable, "discriminator/x1/bias": ...}`.
    """
    named = {}
    times = 1
    for layer in gan.generator.layers:
        times *= 2 if isinstance(layer, UpsampledConv2D) else 1
        last = isinstance(layer, keras.layers.Conv2D) and not isinstance(layer, UpsampledConv2D)
        place = "/pictures" if last else ""
        named |= {f"generator/x{times}{place}/{each.name}": each for each in layer.weights}
    place = "/pictures"
    for layer in gan.discriminator.layers:
        last = isinstance(layer, keras.layers.Dense)
        times //= 2 if isinstance(layer, keras.layers.Conv2D) else 1
        at = "logits" if last else f"x{times}{place}"
        named |= {f"discriminator/{at}/{each.name}": each for each in layer.weights}
        place = "" if layer.weights else place
    return named


def arrays_of(gan):
    """The weights of a trained model for `Start.arrays`: of the averaged generator, which makes
    better pictures, and of the discriminator."""
    averaged = zip(gan.generator.weights, gan.ema_generator.weights, strict=True)
    averaged = {id(variable): average for variable, average in averaged}
    return {
        name: np.asarray(averaged.get(id(variable), variable).numpy())
        for name, variable in parts(gan).items()
    }


def save_start(gan, file):
    """Writes a model as a start, in float16: half the size, and training soon changes more than
    that rounds away.

    Args:
        gan: a trained `BalancedGAN`.
        file: path of the .npz file.
    """
    samples = to_uint8(gan.generate(_COMPARED))
    arrays = arrays_of(gan) | {"outlines": shape_and_colour(samples)[:, :OUTLINES]}
    arrays = {name: array.astype(np.float16) for name, array in arrays.items()}
    with whole_file(file) as stream:
        np.savez_compressed(stream, **arrays)


def load_start(name):
    """A start that comes with this package, or a run's newest networks.

    Args:
        name: one of `settings.STARTS`, or what `runs.find_run` takes.

    Returns:
        A `Start`.

    Raises:
        InputError: if there is no such run, it has other networks than ours, or a file is damaged.
    """
    if name in STARTS:
        try:
            with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as stored:
                return Start(name, {key: stored[key].astype(np.float32) for key in stored.files})
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"The start {name!r} cannot be read: {error}.") from None
    try:
        run = find_run(name)
    except InputError:
        known = ", ".join(("auto", "scratch", *STARTS))
        raise InputError(f"start must be {known}, or a run. Received: start={name!r}") from None
    settings = run.settings()
    if settings.networks != "light":
        raise InputError(
            f"Only a run of the networks 'light' can be a start. Received: start={name!r}, whose "
            f"networks are {settings.networks!r}"
        )
    gan = build_gan(settings)
    gan.ema_generator.set_weights(load_network(run, run.generator_file).get_weights())
    gan.discriminator.set_weights(load_network(run, run.discriminator_file).get_weights())
    return Start(name, arrays_of(gan))


def find_start(settings, samples):
    """The `Start` that settings ask for, or None for scratch.

    Args:
        settings: a `Settings`.
        samples: what will be trained on.

    Raises:
        InputError: as `load_start`, or if the networks are not ours.
    """
    if settings.start == "scratch" or (settings.start == "auto" and settings.networks != "light"):
        return None
    if settings.networks != "light":
        raise InputError(
            f"Only the networks 'light' have a start. Received: start={settings.start!r}, "
            f"networks={settings.networks!r}"
        )
    return choose_start(samples) if settings.start == "auto" else load_start(settings.start)


def apply_start(gan, start, samples):
    """Gives new networks the weights of a start, grown for larger pictures; what it has no weights
    for stays as it was.

    Args:
        gan: a `BalancedGAN` that has not been trained.
        start: a `Start`.
        samples: uint8 (N, S, S, C), what will be trained on.
    """
    random = np.random.default_rng(0)
    named = parts(gan)
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
    """The arrays of a start with as many stages as the networks `named`, as far as these are wide
    enough to pass pictures on."""
    last, wanted = last_stage(arrays), last_stage(named)
    if last >= wanted:
        return arrays
    channels = {
        times: named[f"generator/x{times}/gamma"].shape[0]
        for times in (last * 2**more for more in range(round(np.log2(wanted / last)) + 1))
    }
    count = len(arrays[f"generator/x{last}/pictures/bias"])
    before_tanh = np.arctanh((np.asarray(samples[:_COMPARED]) / 127.5 - 1) * _SHORT_OF_1)
    mean, deviation = (
        np.broadcast_to(figure((0, 1, 2)), count) for figure in (before_tanh.mean, before_tanh.std)
    )
    while last < wanted and min(channels[last], channels[2 * last]) >= 2 * count:
        arrays = grow(arrays, channels, mean, deviation, random)
        last *= 2
    return arrays


def _fit_places(array, shape, have, need, name, random):
    """The dense kernel between latents, or the logit, and the base, (L, b * b * C) or
    (b * b * C, 1), for a base of another side or other channels."""
    of_generator = name.startswith("generator")
    rows = array if of_generator else array.T
    side, wanted = (
        round((size / channels) ** 0.5)
        for size, channels in ((array.size // len(rows), have), (shape[of_generator], need))
    )
    maps = rows.reshape(len(rows), side, side, have)
    if side != wanted:
        maps = np.stack([cv2.resize(each, (wanted, wanted)) for each in maps])
        maps = maps if of_generator else maps * (side / wanted) ** 2  # the sum stays
    if not of_generator:  # its channels come in, and copies share what one gave
        maps = _fit(maps[..., None], (1, wanted, wanted, need, 1), "kernel", random)
    else:
        maps = _fit(maps, (len(rows), wanted, wanted, need), "", random)
    return maps.reshape(-1, wanted * wanted * need) if of_generator else maps.reshape(-1, 1)


def _fit(array, shape, name, random):
    """An array in the shape that a network needs.

    Channels that are too few are copied, and the copies share what one put in, which leaves what
    the network does as it is (Chen et al. 2016, arXiv 1511.05641); what is too many is left out.
    Grey pictures get the mean of the colours.
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


def choose_start(pictures):
    """The shipped start whose pictures have the outlines nearest to those of some pictures.

    With colours, photographs of portraits got drawn scenes, and were twice as far from real
    ones after 12,800 pictures (benchmarks/ablations.md); colours are soon learned.

    Args:
        pictures: uint8 (N, S, S, C).

    Returns:
        A `Start`.
    """
    few = np.asarray(pictures[:_COMPARED])
    few = np.stack([cv2.resize(each, (64, 64), interpolation=cv2.INTER_AREA) for each in few])
    if few.ndim == 3:
        few = np.repeat(few[..., None], 3, 3)
    found = shape_and_colour(few)[:, :OUTLINES]
    if len(found) == 1:  # the distance is one of pairs
        found = np.repeat(found, 2, 0)
    starts = [load_start(name) for name in STARTS]
    distances = [kernel_distance(start.arrays["outlines"], found) for start in starts]
    return starts[int(np.argmin(distances))]
