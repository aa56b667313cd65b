"""How good a run's pictures are: a table, metrics.json and the pairs nearest to copies."""

import json
from typing import NamedTuple

import numpy as np

from balanced_gan import metrics
from balanced_gan.errors import InputError
from balanced_gan.features import shape_and_colour
from balanced_gan.files import write_whole
from balanced_gan.learned import learned_features
from balanced_gan.metadata import now
from balanced_gan.sampling import latents_of, load_network, samples_of
from balanced_gan.settings import Settings
from balanced_gan.sheets import encode_png, sheet, to_uint8

SAMPLES = 400  # generated pictures that every figure is made from
FEWEST = 12  # real pictures that the nearest-neighbour figures need
_MOST = 2000  # real pictures compared with, so that InceptionV3 is done in minutes
_PAIRS = 20  # on the picture of nearest pairs


class Figure(NamedTuple):
    """One figure of the table."""

    meaning: str
    better: str  # "lower", "higher" or "as real"


FIGURES = {
    "mmd": Figure("the whole set in the eyes of a trained discriminator", "lower"),
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


class Seen(NamedTuple):
    """Pictures, and what the features see in them."""

    pictures: np.ndarray  # uint8 (N, S, S, C)
    features: np.ndarray  # float32 (N, F)

    def part(self, rows):
        return Seen(self.pictures[rows], self.features[rows])


def see(pictures, features=shape_and_colour):
    """`Seen` of uint8 (N, S, S, C)."""
    return Seen(pictures, features(pictures))


def compare(samples, real, of_inception=False):
    """All figures of a set of pictures but the share of copies.

    Args:
        samples: a `Seen`, the pictures to judge.
        real: a `Seen` to judge them by.
        of_inception: whether the features are InceptionV3's, which FID and KID need.

    Returns:
        A dict of floats, with keys of `FIGURES`, and "swd_levels", a list.
    """
    swd_levels = metrics.sliced_wasserstein(samples.pictures, real.pictures)
    ours, theirs = samples.features, real.features
    precision, recall = metrics.precision_recall(ours, theirs)
    density, coverage = metrics.density_coverage(ours, theirs)
    seen, of_real = learned_features(samples.pictures), learned_features(real.pictures)
    figures = {
        "mmd": metrics.kernel_distance(*metrics.standardised(seen, of_real)),
        "swd": float(np.mean(swd_levels)),
        "swd_levels": swd_levels,
    }
    if of_inception:
        figures["fid"] = metrics.frechet_distance(ours, theirs)
        figures["kid"] = metrics.kernel_distance(ours, theirs)
    return figures | {
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "spread": metrics.spread(ours),
    }


def evaluate(samples, training, held_out=None, of_inception=False):
    """Judges samples, and real pictures in the same way: what a perfect generator would get.

    Args:
        samples: a `Seen`.
        training: a list of `Seen`: the training pictures and, if those were trained on too,
            the same mirrored; empty if they are gone, and then copies cannot be looked for.
        held_out: a `Seen` of pictures that were not trained on; if None, the training pictures
            serve, and one half of them is set against the other.
        of_inception: as in `compare`.

    Returns:
        `(ours, perfect)`: two dicts as from `compare`, with "copies" if there is `training`.

    Raises:
        InputError: if there are fewer than twelve real pictures.
    """
    real = training[0] if held_out is None else held_out
    fewest = min(len(seen.pictures) for seen in (real, *training[:1]))
    if fewest < FEWEST:
        raise InputError(
            f"Evaluating needs at least {FEWEST} pictures to compare with. Received: {fewest}"
        )
    if training and held_out is not None:
        ideal = training[0], real
    else:
        half = len(real.pictures) // 2
        ideal = real.part(slice(half)), real.part(slice(half, None))
    ours = compare(samples, real, of_inception)
    perfect = compare(ideal[0].part(slice(SAMPLES)), ideal[1], of_inception)
    if training:
        ours["copies"] = metrics.copies(
            samples.features,
            [seen.features for seen in training],
            None if held_out is None else held_out.features,
        )
        # By its definition the same share of unseen real pictures is flagged.
        perfect["copies"] = metrics.FLAGGED
    return ours, perfect


def as_trained(pictures, mirror, features=shape_and_colour):
    """Training pictures for `evaluate`: as they are and, if `mirror`, mirrored too."""
    mirrored = [see(pictures[:, :, ::-1], features)] if mirror else []
    return [see(pictures, features), *mirrored]


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


def nearest_png(samples, training):
    """The samples most like a single training picture, each above that picture.

    Args:
        samples: a `Seen` of ten or more.
        training: as in `evaluate`.

    Returns:
        The bytes of a PNG file: ten pairs a row, the most suspicious first.
    """
    found = [metrics.nearest(samples.features, seen.features) for seen in training]
    ratios = np.array([ratio for _, ratio in found])  # (1 or 2, N)
    rows = []
    for some in np.argsort(ratios.min(0))[:_PAIRS].reshape(-1, _PAIRS // 2):
        nearer = ratios[:, some].argmin(0)  # which set holds the nearest picture
        nearest = [training[k].pictures[found[k][0][i]] for i, k in zip(some, nearer, strict=True)]
        rows += [samples.pictures[some], np.stack(nearest)]
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
    return to_uint8(samples_of(generator, latents))


def evaluate_run(run, best, training, held_out=None, features=None, seed=0):
    """Evaluates a run's pictures; writes metrics.json and nearest.png into its folder.

    Args:
        run: a `Run`.
        best: whether to take the generator of the best evaluation, not the newest.
        training: uint8 (T, S, S, C), what the run was trained on; None if that is gone.
        held_out: uint8 (M, S, S, C) that it was not trained on, or None.
        features: from `balanced_gan.features.inception`; if None, `shape_and_colour`, and no
            FID and KID.
        seed: of the samples, and of the choice where there are more than 2,000 real pictures.

    Returns:
        The table, a string.

    Raises:
        InputError: as `load_network` and `evaluate`.
    """
    settings = run.settings()
    source = run.source(best)
    generator = load_network(source, source.generator_file)
    extract = features or shape_and_colour
    random = np.random.default_rng(seed)
    samples = see(draw_samples(generator, settings.latent_prior, seed), extract)
    trained = []
    if training is not None:
        some = training[random.permutation(len(training))[:_MOST]]
        trained = as_trained(some, settings.mirror, extract)
    if held_out is not None:
        held_out = see(held_out[random.permutation(len(held_out))[:_MOST]], extract)
    ours, perfect = evaluate(samples, trained, held_out, bool(features))
    report = {
        "evaluated": now(),
        "generator": "best" if best else "newest",
        "samples": SAMPLES,
        "seed": seed,
        "held_out": 0 if held_out is None else len(held_out.pictures),
        "training": len(trained[0].pictures) if trained else 0,
        "features": "inception_v3" if features else "shape_and_colour",
        "generated": ours,
        "real": perfect,
    }
    write_whole(run.path / "metrics.json", (json.dumps(report, indent=2) + "\n").encode())
    if trained:
        write_whole(run.path / "nearest.png", nearest_png(samples, trained))
    return table(ours, perfect)
