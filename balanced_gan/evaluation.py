"""How good a run's pictures are: a table, metrics.json and the pairs nearest to copies."""

import json
from typing import NamedTuple

import numpy as np

from balanced_gan import metrics
from balanced_gan.errors import InputError
from balanced_gan.features import inception, shape_and_colour
from balanced_gan.metadata import now
from balanced_gan.pictures import encode_png, sheet, to_uint8
from balanced_gan.run import write_whole
from balanced_gan.sampling import latents_of, load_network
from balanced_gan.settings import Settings

SAMPLES = 400  # generated pictures that every figure is made from
FEWEST = 12  # real pictures that the nearest-neighbour figures need
_MOST = 2000  # real pictures compared with: distances of all pairs of more take minutes
_AT_ONCE = 50  # pictures in one forward pass
_PAIRS = 20  # on the picture of nearest pairs


class Figure(NamedTuple):
    """One figure of the table."""

    meaning: str
    better: str  # "lower", "higher" or "as real"


FIGURES = {
    "swd": Figure("patches of the pictures against real ones (sliced Wasserstein)", "lower"),
    "fid": Figure("the whole set in InceptionV3's eyes", "lower"),
    "kid": Figure("the same, fair to few pictures", "lower"),
    "precision": Figure("share of samples that look like a real picture", "higher"),
    "recall": Figure("share of real pictures that a sample looks like", "higher"),
    "density": Figure("precision, counting how many real pictures are near", "higher"),
    "coverage": Figure("share of real pictures with a sample among their nearest", "higher"),
    "spread": Figure("how unlike one another the pictures are", "as real"),
    "copies": Figure("share suspiciously near to one training picture", "lower"),
}


def compare(samples, real, features=None):
    """All figures of a set of pictures but the share of copies.

    Args:
        samples: uint8 (N, S, S, C), the pictures to judge.
        real: uint8 (M, S, S, C) to judge them by.
        features: from `balanced_gan.features.inception`; if None, `shape_and_colour`, and no
            FID and KID.

    Returns:
        A dict of floats, with keys of `FIGURES`, and "swd_levels", a list.
    """
    swd_levels = metrics.sliced_wasserstein(samples, real)
    extract = features or shape_and_colour
    ours, theirs = extract(samples), extract(real)
    precision, recall = metrics.precision_recall(ours, theirs)
    density, coverage = metrics.density_coverage(ours, theirs)
    figures = {"swd": float(np.mean(swd_levels)), "swd_levels": swd_levels}
    if features:
        figures["fid"] = metrics.frechet_distance(ours, theirs)
        figures["kid"] = metrics.kernel_distance(ours, theirs)
    return figures | {
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "spread": metrics.spread(ours),
    }


def evaluate(samples, training, held_out=None, mirror=False, features=None, seed=0):
    """Judges samples, and real pictures in the same way: what a perfect generator would get.

    Args:
        samples: uint8 (N, S, S, C).
        training: uint8 (T, S, S, C).
        held_out: uint8 (M, S, S, C) that were not trained on; if None, the training pictures
            serve, and one half of them is set against the other.
        mirror: whether training saw the pictures mirrored too.
        features: as in `compare`.
        seed: of the choice, where there are more than 2,000 real pictures, and of the halves.

    Returns:
        `(ours, perfect)`: two dicts as from `compare`, with "copies".

    Raises:
        InputError: if there are fewer than twelve real pictures.
    """
    random = np.random.default_rng(seed)
    training = random.permutation(training)[:_MOST]
    real = training if held_out is None else random.permutation(held_out)[:_MOST]
    fewest = min(len(real), len(training))
    if fewest < FEWEST:
        raise InputError(
            f"Evaluating needs at least {FEWEST} pictures to compare with. Received: {fewest}"
        )
    half = len(training) // 2
    halves = (training[:half], training[half:]) if held_out is None else (training, real)
    extract = features or shape_and_colour
    copies, _ = metrics.copies(
        extract(samples),
        [extract(pictures) for pictures in _as_trained(training, mirror)],
        None if held_out is None else extract(real),
    )
    ours = compare(samples, real, features) | {"copies": copies}
    # By its definition the same share of unseen real pictures is flagged.
    perfect = compare(halves[0][:SAMPLES], halves[1], features) | {"copies": metrics.FLAGGED}
    return ours, perfect


def _as_trained(training, mirror):
    return [training, training[:, :, ::-1]] if mirror else [training]


def table(ours, perfect):
    """The figures in words, for the terminal.

    Args:
        ours, perfect: from `evaluate`.

    Returns:
        A string of several lines.
    """
    lines = [f"{'':10} {'samples':>8} {'real':>8}  {'better':8} what it says"]
    for name, figure in FIGURES.items():
        if name in ours:
            values = f"{ours[name]:8.3g} {perfect[name]:8.3g}"
            lines.append(f"{name:10} {values}  {figure.better:8} {figure.meaning}")
    return "\n".join(lines)


def nearest_png(samples, training, mirror=False, features=None):
    """The samples most like a single training picture, each above that picture.

    Args:
        samples: uint8 (N, S, S, C), ten or more.
        training: uint8 (T, S, S, C), twelve or more.
        mirror: whether training saw the pictures mirrored too.
        features: as in `compare`.

    Returns:
        The bytes of a PNG file: ten pairs a row, the most suspicious first.
    """
    extract = features or shape_and_colour
    ours = extract(samples)
    sets = _as_trained(training, mirror)
    found = [metrics.nearest(ours, extract(pictures)) for pictures in sets]
    ratios = np.array([ratio for _, ratio in found])  # (sets, N)
    rows = []
    for some in np.argsort(ratios.min(0))[:_PAIRS].reshape(-1, _PAIRS // 2):
        nearest = [
            sets[k][found[k][0][i]] for i, k in zip(some, ratios[:, some].argmin(0), strict=True)
        ]
        rows += [samples[some], np.stack(nearest)]
    return encode_png(sheet(np.concatenate(rows), _PAIRS // 2))


def draw_samples(generator, prior=Settings.latent_prior, seed=0):
    """400 pictures to evaluate.

    Args:
        generator: a `keras.Model`, latents -> pictures in [-1, 1].
        prior: of its latents, see `balanced_gan.sampling.latents_of`.
        seed: of the first picture.

    Returns:
        uint8 (400, S, S, C).
    """
    latents = latents_of(range(seed, seed + SAMPLES), generator.input_shape[-1], prior=prior)
    # Called directly, not by `predict`, which would have to compile.
    parts = [generator(latents[first : first + _AT_ONCE]) for first in range(0, SAMPLES, _AT_ONCE)]
    return to_uint8(np.concatenate(parts))


def inception_or_none(weights, say):
    """InceptionV3's features, or None and a sentence why not.

    Args:
        weights: path of a .h5 file, or None for Keras's own weights.
        say: called with the sentence.

    Raises:
        InputError: if a file was named and cannot be used.
    """
    try:
        return inception(weights)
    except InputError as error:
        if weights:
            raise
        say(f"Note:     no FID and KID, {error}; --inception_weights FILE gives them")
        return None


def evaluate_run(run, best, training, held_out=None, features=None, seed=0):
    """Evaluates a run's pictures; writes metrics.json and nearest.png into its folder.

    Args:
        run: a `Run`.
        best: whether to take the generator of the best evaluation, not the newest.
        training, held_out, features: as in `evaluate`.
        seed: of the samples, and as in `evaluate`.

    Returns:
        The table, a string.

    Raises:
        InputError: as `load_network` and `evaluate`.
    """
    settings = run.settings()
    source = run.best if best else run
    generator = load_network(source, source.generator_file)
    samples = draw_samples(generator, settings.latent_prior, seed)
    ours, perfect = evaluate(samples, training, held_out, settings.mirror, features, seed)
    report = {
        "evaluated": now(),
        "generator": "best" if best else "newest",
        "samples": len(samples),
        "seed": seed,
        "held_out": 0 if held_out is None else len(held_out),
        "training": len(training),
        "features": "inception_v3" if features else "shape_and_colour",
        "generated": ours,
        "real": perfect,
    }
    write_whole(run.path / "metrics.json", (json.dumps(report, indent=2) + "\n").encode())
    pairs = nearest_png(samples, training, settings.mirror, features)
    write_whole(run.path / "nearest.png", pairs)
    return table(ours, perfect)
