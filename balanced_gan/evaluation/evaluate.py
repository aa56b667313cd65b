"""Evaluates a run's pictures: a table, metrics.json, and the pairs most like copies."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
from numpy.typing import NDArray

from balanced_gan.data.cache import StoredPictures
from balanced_gan.data.doubts import different, digests
from balanced_gan.errors import InputError
from balanced_gan.evaluation import metrics
from balanced_gan.evaluation.features import Extractor, shape_and_colour
from balanced_gan.evaluation.learned import learned_distance, learned_features
from balanced_gan.files import atomic_write
from balanced_gan.output.images import encode_png, in_batches, sheet, to_uint8
from balanced_gan.output.sampling import latents_of, load_network
from balanced_gan.runs.machine import now
from balanced_gan.runs.run import Run
from balanced_gan.settings import Settings

SAMPLES = 400  # generated pictures behind every metric
FEWEST = 12  # different real pictures that the nearest-neighbour metrics need
MOST = 2000  # real pictures to compare with, so that InceptionV3 takes only minutes
_PAIRS = 20  # in nearest.png

Values = dict[str, float]  # by names of `metrics.METRICS`


@dataclass(frozen=True)
class Seen:
    """Pictures with their features."""

    pictures: NDArray[np.uint8]  # (N, S, S, C)
    features: NDArray[np.float32]  # (N, F)

    @cached_property
    def learned(self) -> NDArray[np.float32]:
        """Features by `learned_features`: computed once, and only where they are needed."""
        return learned_features(self.pictures)

    def part(self, rows: slice) -> "Seen":
        return Seen(self.pictures[rows], self.features[rows])


def see(pictures: NDArray[np.uint8], features: Extractor = shape_and_colour) -> Seen:
    """Computes the features of pictures (N, S, S, C)."""
    return Seen(pictures, features(pictures))


def compare(samples: Seen, real: Seen, of_inception: bool = False) -> Values:
    """Computes all metrics except `fid` and `memorised`.

    Args:
        of_inception: whether the features are InceptionV3's, which KID needs.
    """
    ours, theirs = samples.features, real.features
    swd_levels = metrics.sliced_wasserstein(samples.pictures, real.pictures)
    values: Values = {}
    values["mmd"] = learned_distance(samples.learned, real.learned)
    values["swd"] = float(np.mean(swd_levels))
    values["precision"], values["recall"] = metrics.precision_recall(ours, theirs)
    values["density"], values["coverage"] = metrics.density_coverage(ours, theirs)
    values["diversity"] = metrics.diversity(ours)
    if of_inception:
        values["kid"] = metrics.kernel_distance(ours, theirs)
    return values


def evaluate(
    samples: Seen,
    training: Sequence[Seen],
    held_out: Seen | None = None,
    of_inception: bool = False,
) -> tuple[Values, Values]:
    """Judges samples, and judges real pictures in the same way for comparison.

    All pictures of a set differ, and each set has at least twelve.

    Args:
        training: the training pictures and, if they were also trained on, their mirror images.
            Empty if the pictures are gone; then copies are not looked for.
        held_out: pictures that were not trained on. If None, samples are compared with the
            training pictures, and for comparison one half of those with the other.
        of_inception: whether the features are InceptionV3's, which FID and KID need.

    Returns:
        `(ours, perfect)`: the values of the samples, and those that a perfect generator would
        get. Both have "memorised" unless `training` is empty.
    """
    real = training[0] if held_out is None else held_out
    if training and held_out is not None:
        ideal = training[0], real
    else:
        half = len(real.pictures) // 2
        ideal = real.part(slice(half)), real.part(slice(half, None))
    few, others = ideal[0].part(slice(SAMPLES)), ideal[1]
    ours = compare(samples, real, of_inception)
    perfect = compare(few, others, of_inception)
    if of_inception:  # only FIDs of sets of equal size can be compared
        some = samples.features[: len(few.features)]
        ours["fid"] = metrics.frechet_distance(some, others.features)
        perfect["fid"] = metrics.frechet_distance(few.features, others.features)
    if training:
        ours["memorised"] = metrics.memorised(
            samples.features,
            [seen.features for seen in training],
            None if held_out is None else held_out.features,
        )
        # By definition, this share of unseen real pictures is flagged.
        perfect["memorised"] = metrics.FLAGGED
    return ours, perfect


def as_trained(
    pictures: NDArray[np.uint8], mirror: bool, features: Extractor = shape_and_colour
) -> list[Seen]:
    """Training pictures for `evaluate`; with `mirror`, their mirror images too."""
    mirrored = [see(pictures[:, :, ::-1], features)] if mirror else []
    return [see(pictures, features), *mirrored]


def table(ours: Values, perfect: Values) -> str:
    """Formats the values from `evaluate` as lines for the terminal."""
    lines = [f"{'':10} {'samples':>8} {'real':>8}  {'better':8} meaning"]
    for name, metric in metrics.METRICS.items():
        if name in ours:
            values = f"{ours[name]:8.3g} {perfect[name]:8.3g}"
            lines.append(f"{name:10} {values}  {metric.better:8} {metric.meaning}")
    return "\n".join(lines)


def nearest_png(samples: Seen, training: Sequence[Seen]) -> bytes:
    """Draws the samples most like a single training picture, each above that picture.

    Args:
        samples: at least ten.
        training: see `evaluate`.

    Returns:
        The contents of a PNG file: ten pairs per row, the most suspicious first.
    """
    found = [metrics.nearest(samples.features, seen.features) for seen in training]
    ratios = np.array([ratio for _, ratio in found])  # (1 or 2, N)
    rows = []
    for some in np.argsort(ratios.min(0))[:_PAIRS].reshape(-1, _PAIRS // 2):
        nearer = ratios[:, some].argmin(0)  # which set holds the nearest picture
        nearest = [training[k].pictures[found[k][0][i]] for i, k in zip(some, nearer, strict=True)]
        rows += [samples.pictures[some], np.stack(nearest)]
    return encode_png(sheet(np.concatenate(rows), _PAIRS // 2))


def draw_samples(
    generator: keras.Model, prior: str = Settings.latent_prior, seed: int = 0
) -> NDArray[np.uint8]:
    """Generates 400 pictures to evaluate, (400, S, S, C).

    Args:
        generator: latents -> pictures in [-1, 1].
        prior: of its latents, see `balanced_gan.output.sampling.latents_of`.
        seed: of the first picture.
    """
    latents = latents_of(range(seed, seed + SAMPLES), generator.input_shape[-1], prior=prior)
    # Batch by batch: as float32, 400 pictures of 256x256 take 315 MB.
    return in_batches(lambda some: to_uint8(np.asarray(generator(some))), latents)


def evaluate_run(
    run: Run,
    best: bool,
    training: NDArray[np.uint8] | StoredPictures | None,
    held_out: NDArray[np.uint8] | StoredPictures | None = None,
    features: Extractor | None = None,
    seed: int = 0,
) -> str:
    """Evaluates a run's pictures; writes metrics.json and nearest.png into its folder.

    Args:
        best: whether to use the generator of the best evaluation instead of the newest.
        training: (T, S, S, C), the pictures that the run was trained on; None if they are gone.
        held_out: (M, S, S, C), pictures that it was not trained on, or None.
        features: from `features.inception`. If None, `shape_and_colour` is used, and FID and
            KID are left out.
        seed: of the samples, and of the choice among more than 2,000 real pictures.

    Returns:
        The table for the terminal.

    Raises:
        InputError: see `load_network`; or if there are fewer than twelve real pictures.
    """
    settings = run.settings()
    source = run.best if best else run
    generator = load_network(source, source.generator_file)
    extract = features or shape_and_colour
    random = np.random.default_rng(seed)
    samples = see(draw_samples(generator, settings.latent_prior, seed), extract)
    trained: list[Seen] = []
    note = ""
    # Equal pictures are at a distance of 0, and then most metrics are 0 or 1 whatever is made.
    if training is not None:
        chosen = training[random.permutation(len(training))[:MOST]]
        some = _enough(different(chosen))
        trained = as_trained(some, settings.mirror, extract)
        if equal := len(chosen) - len(some):
            note = f"\nDuplicate training pictures left out: {equal}"
    unseen = None
    if held_out is not None:
        some = held_out[random.permutation(len(held_out))[:MOST]]
        unseen = see(_not_trained_on(some, training, settings.mirror), extract)
        if equal := len(some) - len(unseen.pictures):
            note += f"\nHeld-out pictures left out (duplicate or trained on): {equal}"
    ours, perfect = evaluate(samples, trained, unseen, bool(features))
    report = {
        "evaluated": now(),
        "generator": "best" if best else "newest",
        "samples": SAMPLES,
        "seed": seed,
        "held_out": 0 if unseen is None else len(unseen.pictures),
        "training": len(trained[0].pictures) if trained else 0,
        "features": "inception_v3" if features else "shape_and_colour",
        "generated": ours,
        "real": perfect,
    }
    atomic_write(run.path / "metrics.json", (json.dumps(report, indent=2) + "\n").encode())
    if trained:
        atomic_write(run.path / "nearest.png", nearest_png(samples, trained))
    else:  # an earlier one would pass for this one's
        with suppress(OSError):
            (run.path / "nearest.png").unlink()
    return table(ours, perfect) + note


def _not_trained_on(
    held_out: NDArray[np.uint8], training: NDArray[np.uint8] | StoredPictures | None, mirror: bool
) -> NDArray[np.uint8]:
    """The held-out pictures without duplicates and without those trained on, mirrored or not."""
    known = set(() if training is None else digests(training))
    fresh = different(held_out, known)
    if mirror:
        fresh = different(fresh[:, :, ::-1], known)[:, :, ::-1]
    return _enough(fresh, " that were not trained on")


def _enough(pictures: NDArray[np.uint8], which: str = "") -> NDArray[np.uint8]:
    if len(pictures) < FEWEST:
        raise InputError(
            f"Evaluating needs at least {FEWEST} different pictures{which} to compare with. "
            f"Received: {len(pictures)}"
        )
    return pictures
