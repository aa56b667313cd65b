"""One change of the recipe at a time, for the same number of batches: what ablations.md logs.

Each variant trains on 80 % of some pictures and is measured against the rest, by the program's own
metrics and by those of perceptual.py (KID and diversity). Counted in pictures seen and not in
minutes, so that two can run side by side (`--threads 1`); the processor seconds beside the figures
say what a batch of the variant costs.

    python -m benchmarks.quality.ablations --variant default --variant wide --seed 0 --seed 1
    python -m benchmarks.quality.ablations --variant default --kind emoji --seen 12800
"""

import csv
import time
from itertools import product
from pathlib import Path
from typing import NamedTuple

import click
import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import ops

from balanced_gan import balance
from balanced_gan.data import batches as order
from balanced_gan.data.folder import load_folder
from balanced_gan.evaluation.evaluate import as_trained, draw_samples, evaluate, see
from balanced_gan.model import augment
from balanced_gan.model.build import build_gan, faster_precision
from balanced_gan.model.gan import BalancedGAN
from balanced_gan.model.start import apply_start
from balanced_gan.output.images import encode_png, sheet
from balanced_gan.presets.schedules import SCHEDULES
from balanced_gan.settings import Settings
from balanced_gan.training.choose_start import find_start
from balanced_gan.training.oversampling import sampling_weights
from benchmarks.quality import perceptual
from benchmarks.quality.faces import share_with_face
from benchmarks.quality.kinds import drawn, flower, house, letter
from benchmarks.shared import RESULTS, data_option

TABLE = RESULTS / "ablations.csv"
COLUMNS = "variant,kind,seed,seen,cpu_seconds,kid,diversity,swd,precision,recall,density,"
COLUMNS += "coverage,spread,copies,faces,within_e,share_G,mmd"
COLUMNS = COLUMNS.split(",")


class Variant(NamedTuple):
    """What differs from the default."""

    options: dict  # settings
    cutout: float = augment.CUTOUT
    colours: bool = False  # whether a start is brought to the colours of the pictures
    encoder: int = 0  # batches on which the generator first learns to decode `encoded` pictures
    frozen: int = 0  # stages of the discriminator that keep what they know, from the full size on
    stronger: float = balance.STRONGER  # 1 for an R1 penalty of constant weight
    full_after: int = order.FULL_WEIGHT_AFTER  # samples, see there


class FrozenGAN(BalancedGAN):
    """`BalancedGAN` whose discriminator's first stages do not learn."""

    frozen = 0

    def update_discriminator(self, forward):
        kept = self.discriminator.trainable_variables[: 2 * self.frozen]
        before = [tf.identity(variable) for variable in kept]
        super().update_discriminator(forward)
        for variable, value in zip(kept, before, strict=True):
            variable.assign(value)


def learning_rates(generator, discriminator):
    return {"generator_learning_rate": generator, "discriminator_learning_rate": discriminator}


# The default until 2026-11-25: row 5 of the first table of ablations.md.
WIDE = {"width": 64, "discriminator_learning_rate": 2e-4}
OF_STARTS = {
    "start_auto": Variant({}),
    "start_lr_half": Variant(learning_rates(4e-4, 4e-4)),
    "start_lr_quarter": Variant(learning_rates(2e-4, 2e-4)),
    "start_lr_d_half": Variant({"discriminator_learning_rate": 4e-4}),
    "start_decay": Variant({"learning_rate_decay": 1e-3}),
    "start_small_cutout": Variant({}, cutout=0.3),
    "start_no_augmentation": Variant({"augmentation": False}),
    "start_colours": Variant({}, colours=True),
    "start_freeze_d": Variant({}, frozen=2),
    "start_encoder": Variant({"batch_size": 8}, encoder=150),
    "start_batch_8_alternate": Variant({"batch_size": 8, "balance": "alternate"}),
    "start_batch_4": Variant({"batch_size": 4}),
    "start_batch_8": Variant({"batch_size": 8}),
    "start_batch_8_constant_r1": Variant({"batch_size": 8}, stronger=1.0),
    "start_batch_8_oversampling": Variant({"batch_size": 8, "oversampling": 2.0}),
    "start_batch_8_full_weights": Variant({"batch_size": 8, "oversampling": 2.0}, full_after=1),
    "start_batch_8_r1_1": Variant({"batch_size": 8, "r1": 1.0}),
    "start_batch_8_both": Variant({"batch_size": 8, "balance": "both"}),
    "start_batch_32": Variant({"batch_size": 32}),
    "start_batch_32_lr_double": Variant({"batch_size": 32} | learning_rates(16e-4, 16e-4)),
}
VARIANTS = {
    "default": Variant({}),
    "wide": Variant(WIDE),
    "width_64": Variant({"width": 64}),
    "lr_d_double": Variant({"discriminator_learning_rate": 16e-4}),
    "batch_8": Variant({"batch_size": 8}),
    "encoder": Variant({"batch_size": 8}, encoder=300),
    "start_neutral": Variant({"start": "neutral"}),
    "start_portraits": Variant({"start": "portraits"}),
    "start_neutral_8": Variant({"start": "neutral", "batch_size": 8}),
    "start_portraits_8": Variant({"start": "portraits", "batch_size": 8}),
    **{
        name: variant._replace(options={"start": "auto"} | variant.options)
        for name, variant in OF_STARTS.items()
    },
}


def crops(count=500):
    """Crops of the colour photographs that scikit-image and scikit-learn come with: a cat, coffee,
    a rocket, a temple, flowers, galaxies; uint8 (count, 64, 64, 3)."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images + [
        getattr(data, name)()
        for name in ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field")
    ]
    made = []
    for number in range(count):
        random = np.random.default_rng((2, number))
        photograph = photographs[number % len(photographs)]
        side = int(random.integers(96, min(photograph.shape[:2]) // 2 + 97))
        y, x = (int(random.integers(0, length - side + 1)) for length in photograph.shape[:2])
        cut = photograph[y : y + side, x : x + side]
        made.append(cv2.resize(cut, (64, 64), interpolation=cv2.INTER_AREA))
    return np.stack(made)


def kinds(data):
    """Name -> function that gives pictures, uint8 (N, 64, 64, 3)."""

    def real(name):
        return lambda: load_folder(data / name, Settings())[0]

    return {
        "portraits": real("congress_400"),
        "paintings": real("portraits_5k"),
        "emoji": real("emoji_723"),
        "flowers": lambda: drawn(flower, 500, 64),
        "houses": lambda: drawn(house, 500, 64),
        "letters": lambda: np.repeat(drawn(letter, 500, 64), 3, axis=3),
        "crops": crops,
    }


def adapt_colours(gan, pictures):
    """Brings the mean and deviation of the generator's colours, before its tanh, to those of
    pictures."""

    def before_tanh(values):
        return np.arctanh(0.95 * values)

    latents = keras.random.normal((256, gan.latent_dim), seed=0)
    made = before_tanh(gan.generator(latents, training=True).numpy())
    real = before_tanh(pictures[:256] / 127.5 - 1)
    scale = real.std((0, 1, 2)) / made.std((0, 1, 2))
    kernel, bias = gan.generator.layers[-2].weights
    kernel.assign(kernel * scale)
    bias.assign((bias - made.mean((0, 1, 2))) * scale + real.mean((0, 1, 2)))


def encoded(pictures, size):
    """Latents of pictures: their principal components at 16x16, each of deviation 1, (N, size)."""
    small = np.stack([cv2.resize(p, (16, 16), interpolation=cv2.INTER_AREA) for p in pictures])
    rows = small.reshape(len(small), -1) - small.reshape(len(small), -1).mean(0)
    left, _, _ = np.linalg.svd(rows, full_matrices=False)
    latents = np.random.default_rng(0).normal(size=(len(rows), size))
    few = min(size, left.shape[1] - 1)
    latents[:, :few] = left[:, :few] * len(rows) ** 0.5
    return latents.astype(np.float32)


def learn_to_decode(gan, pictures, count):
    """Trains the generator to make pictures of their latents, by their distance on a pyramid, so
    that its first pictures are such as a linear autoencoder makes."""
    pictures = np.concatenate([pictures, pictures[:, :, ::-1]])
    latents = encoded(pictures, gan.latent_dim)
    optimizer = keras.optimizers.Adam(1e-3)
    weights = gan.generator.trainable_variables
    optimizer.build(weights)

    @tf.function
    def step(some, real):
        with tf.GradientTape() as tape:
            apart = gan.generator(some, training=True) - real
            loss = 0.0
            for pool in (1, 2, 4, 8):
                loss += ops.mean(ops.abs(ops.average_pool(apart, pool)))
        optimizer.apply(tape.gradient(loss, weights), weights)

    random = np.random.default_rng(0)
    for _ in range(count):
        picked = random.integers(0, len(pictures), 16)
        step(latents[picked], np.float32(pictures[picked]) / 127.5 - 1)
    gan.ema_generator.set_weights(gan.generator.get_weights())


def train(name, kind, seed, marks, training_pictures, held_out, features, folder):
    """Trains a variant -> one row for each mark."""
    variant = VARIANTS[name]
    augment.CUTOUT = variant.cutout
    balance.STRONGER = variant.stronger
    order.FULL_WEIGHT_AFTER = variant.full_after
    FrozenGAN.frozen = variant.frozen
    SCHEDULES["margin"] = FrozenGAN if variant.frozen else BalancedGAN
    # As it was by default when most rows were taken.
    options = {"start": "scratch", "batch_size": 16, "oversampling": 0.0, "seed": seed}
    options |= variant.options
    if kind == "paintings" and options["start"] in ("auto", "portraits"):
        raise click.UsageError(f"{name} has seen the {kind} that are held out")
    of_real = features(held_out)
    began = time.process_time()
    settings = Settings(**options, precision=faster_precision()[0])
    gan = build_gan(settings)
    start = find_start(settings, training_pictures)
    if start:
        apply_start(gan, start, training_pictures)
    if variant.colours:
        adapt_colours(gan, training_pictures)
    if variant.encoder:
        learn_to_decode(gan, training_pictures, variant.encoder)
    weights = sampling_weights(training_pictures, settings.oversampling)
    size, mirror = settings.batch_size, settings.mirror
    data = iter(order.batches(training_pictures, size, seed, mirror, weights=weights))
    step = tf.function(gan.train_step)
    trained = as_trained(training_pictures, settings.mirror)
    logs, spent = [], 0.0
    marks = {mark // settings.batch_size: mark for mark in marks}
    for number in range(1, max(marks) + 1):
        logs.append([float(value) for value in step(next(data)).values()])
        if number not in marks:
            continue
        spent += time.process_time() - began
        made = draw_samples(gan.recalibrated_generator())
        ours, perfect = evaluate(see(made), trained, see(held_out))
        gaps, turns = np.array(logs)[:, 2], np.array(logs)[:, 3]
        perceived = perceptual.measure(features(made), of_real)
        shown = folder / f"{kind}-{name}-{seed}-{marks[number]}.png"
        shown.write_bytes(encode_png(sheet(made[:64], 16)))
        ours |= {
            "variant": name,
            "kind": kind,
            "seed": seed,
            "seen": marks[number],
            "kid": perceived["kid"],
            "diversity": perceived["diversity"],
            "cpu_seconds": round(spent),
            "spread": ours["diversity"] / perfect["diversity"],
            "copies": ours["memorised"],
            "faces": share_with_face(made),
            "within_e": np.mean(abs(gaps) < settings.margin),
            "share_G": turns.mean(),
        }
        yield [f"{ours[key]:.4g}" if isinstance(ours[key], float) else ours[key] for key in COLUMNS]
        began = time.process_time()


@click.command()
@data_option
@click.option("--variant", "names", multiple=True, type=click.Choice(list(VARIANTS)))
@click.option("--seed", "seeds", multiple=True, type=int, default=[0], show_default=True)
@click.option("--kind", "names_of_kinds", multiple=True, default=["portraits"], show_default=True)
@click.option("--seen", "marks", multiple=True, type=int, default=[12_800, 51_200])
@click.option("--threads", default=2, show_default=True)
@click.option("--work", default=".", type=Path, help="Folder for a sheet of pictures of each.")
def main(data, names, seeds, names_of_kinds, marks, threads, work):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    cv2.setNumThreads(threads)
    work.mkdir(exist_ok=True)
    features = perceptual.load_features()
    for kind, seed, name in product(names_of_kinds, seeds, names or VARIANTS):
        pictures = np.asarray(kinds(data)[kind]())
        held_out = np.arange(len(pictures)) % 5 == 4
        sets = pictures[~held_out], pictures[held_out]
        for row in train(name, kind, seed, marks, *sets, features, work):
            print(dict(zip(COLUMNS, row, strict=True)), flush=True)
            header = [] if TABLE.exists() else [COLUMNS]
            with TABLE.open("a") as file:
                csv.writer(file, lineterminator="\n").writerows([*header, row])
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
