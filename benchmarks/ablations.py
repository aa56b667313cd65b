"""One change of the recipe at a time, for the same number of batches: what ablations.md logs.

Each variant trains on 80 % of some pictures and is measured against the rest, by the program's own
metrics and by those of perceptual.py (KID and diversity). Counted in pictures seen and not in
minutes, so that two can run side by side (`--threads 1`); the processor seconds beside the figures
say what a batch of the variant costs.

    python benchmarks/ablations.py --variant default --variant lr_half --seed 0 --seed 1
    python benchmarks/ablations.py --variant default --kind emoji --seen 12800

The kind `crops` needs scikit-image and scikit-learn, for the photographs that come with them.
"""

import csv
import time
from itertools import product
from pathlib import Path
from typing import NamedTuple

import checkout  # noqa: F401
import click
import cv2
import keras
import numpy as np
import perceptual
import tensorflow as tf
from faces import share_with_face
from keras import layers, ops
from kinds import drawn, flower, house

from balanced_gan import augment, building
from balanced_gan.evaluation import as_trained, draw_samples, evaluate, see
from balanced_gan.gan import BalancedGAN
from balanced_gan.layers import UpsampledConv2D
from balanced_gan.networks import (
    build_discriminator,
    build_generator,
    normalise,
    pictures_from,
    stages,
    widths,
)
from balanced_gan.pictures import batches, load_folder
from balanced_gan.preset_networks import NETWORKS
from balanced_gan.settings import Settings
from balanced_gan.sheets import encode_png, sheet
from balanced_gan.start import apply_start, find_start

TABLE = Path(__file__).with_name("ablations.csv")
COLUMNS = ["variant", "kind", "seed", "seen", "cpu_seconds", "kid", "diversity", "swd", "precision"]
COLUMNS += [
    "recall",
    "density",
    "coverage",
    "spread",
    "copies",
    "faces",
    "within_e",
    "share_G",
    "mmd",
]


class Variant(NamedTuple):
    """What differs from the default."""

    options: dict  # settings
    loss: str = "non-saturating"
    generator: object = build_generator
    discriminator: object = build_discriminator
    cutout: float = augment.CUTOUT
    colours: bool = False  # whether a start is brought to the colours of the pictures
    encoder: int = 0  # batches on which the generator first learns to decode `encoded` pictures
    frozen: int = 0  # stages of the discriminator that keep what they know, from the full size on


def transposed_generator(image_size, channels, latent_dim, width):
    """The last two layers as one transposed convolution, as it was before."""
    network = build_generator(image_size, channels, latent_dim, width)
    half_size = network.layers[-6].output
    x = layers.Conv2DTranspose(channels, 4, strides=2, padding="same")(half_size)
    return keras.Model(network.input, pictures_from(x))


def bilinear_generator(image_size, channels, latent_dim, width):
    """Bilinear upsampling."""

    def copy(layer):
        kind = layers.Conv2D if isinstance(layer, UpsampledConv2D) else type(layer)
        return kind.from_config(layer.get_config())

    def call(layer, x, **kwargs):
        if layer.name.startswith("upsampled"):
            x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        return layer(x, **kwargs)

    network = build_generator(image_size, channels, latent_dim, width)
    return keras.models.clone_model(network, clone_function=copy, call_function=call)


def transposed_stage_generator(image_size, channels, latent_dim, width):
    """To the full size by a transposed convolution with the channels of the last stage."""
    network = build_generator(image_size, channels, latent_dim, width)
    half_size = network.layers[-6].output
    x = layers.Conv2DTranspose(width // 2, 4, strides=2, padding="same", use_bias=False)(half_size)
    x = layers.Conv2D(channels, 3, padding="same")(normalise(x))
    return keras.Model(network.input, pictures_from(x))


def residual_discriminator(image_size, channels, width, dropout):
    """Each stage but the first beside an averaged, linear copy of its input."""
    pictures = x = keras.Input((image_size, image_size, channels))
    stages_down = reversed(widths(stages(image_size)[1], width)[:-1])
    for level, channels_out in enumerate(stages_down):
        beside = level and layers.Conv2D(channels_out, 1)(layers.AveragePooling2D(2)(x))
        x = layers.Conv2D(channels_out, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        x = layers.Add()([x, beside]) if level else x
    return keras.Model(pictures, layers.Dense(1, dtype="float32")(layers.Flatten()(x)))


class MinibatchDeviation(layers.Layer):
    """Adds a map of how unlike the pictures of a group of four are (Karras et al. 2018)."""

    def call(self, x):
        x = ops.cast(x, "float32")
        groups = ops.reshape(x, (4, -1, *x.shape[1:]))
        deviation = ops.sqrt(ops.var(groups, axis=0) + 1e-8)
        deviation = ops.mean(deviation, axis=(1, 2, 3), keepdims=True)
        deviation = ops.tile(deviation, (4, x.shape[1], x.shape[2], 1))
        return ops.concatenate([x, deviation], -1)


def minibatch_discriminator(image_size, channels, width, dropout):
    """Minibatch deviation before the logits."""
    network = build_discriminator(image_size, channels, width, dropout)
    x = MinibatchDeviation(dtype="float32")(network.layers[-3].output)
    logits = layers.Dense(1, dtype="float32")(layers.Flatten()(x))
    return keras.Model(network.input, logits)


class VariantGAN(BalancedGAN):
    """`BalancedGAN` with another loss."""

    variant = Variant({})

    def _update_discriminator(self, tape, loss, real, turns_before=0):
        kept = self.discriminator.trainable_variables[: 2 * self.variant.frozen]
        before = [tf.identity(variable) for variable in kept]
        super()._update_discriminator(tape, loss, real, turns_before)
        for variable, value in zip(kept, before, strict=True):
            variable.assign(value)

    def _discriminator_loss(self, real, generated):
        real_logits, generated_logits = self._judge(real), self._judge(generated)
        if self.variant.loss == "relativistic":
            # Jolicoeur-Martineau 2019: each generated picture against a real one. The loss of
            # the generator is softplus(-logits) of what is returned second.
            apart = real_logits - generated_logits
            return ops.mean(ops.softplus(-apart)), -apart
        real_loss, generated_loss = ops.softplus(-real_logits), ops.softplus(generated_logits)
        return 0.5 * ops.mean(real_loss + generated_loss), generated_logits


# Rows 1 to 5 of ablations.md were taken with this width and this learning rate.
WIDE = {"width": 64, "discriminator_learning_rate": 2e-4}
WITHOUT_R1 = {**WIDE, "learning_rate_decay": 1e-3, "r1": 0.0}
BEFORE = {**WITHOUT_R1, "beta_1": 0.5, "beta_2": 0.999}
VARIANTS = {
    "default": Variant({}),
    # The rows of ablations.md, in its order.
    "before": Variant(BEFORE, generator=transposed_generator),
    "full_size_stage": Variant(BEFORE),
    "no_momentum": Variant(WITHOUT_R1),
    "r1_with_momentum": Variant({**WIDE, "beta_1": 0.5, "beta_2": 0.999}),
    "transposed_stage": Variant(BEFORE, generator=transposed_stage_generator),
    "bilinear": Variant(WITHOUT_R1, generator=bilinear_generator),
    "relativistic": Variant(WITHOUT_R1, loss="relativistic"),
    "r1_1": Variant({**WIDE, "r1": 1.0}),
    "lr_d_double": Variant({"width": 64, "discriminator_learning_rate": 4e-4}),
    "residual_d": Variant({}, discriminator=residual_discriminator),
    "batch_8": Variant({"batch_size": 8}),
    "wide": Variant(WIDE),
    "width_64": Variant({"width": 64}),
    "start_neutral": Variant({"start": "neutral"}),
    "start_portraits": Variant({"start": "portraits"}),
    "start_auto": Variant({"start": "auto"}),
    "start_lr_half": Variant(
        {
            "start": "auto",
            "generator_learning_rate": 4e-4,
            "discriminator_learning_rate": 4e-4,
        }
    ),
    "start_lr_quarter": Variant(
        {
            "start": "auto",
            "generator_learning_rate": 2e-4,
            "discriminator_learning_rate": 2e-4,
        }
    ),
    "start_lr_double": Variant(
        {
            "start": "auto",
            "generator_learning_rate": 16e-4,
            "discriminator_learning_rate": 16e-4,
        }
    ),
    "start_lr_d_half": Variant({"start": "auto", "discriminator_learning_rate": 4e-4}),
    "start_batch_8": Variant({"start": "auto", "batch_size": 8}),
    "start_decay": Variant({"start": "auto", "learning_rate_decay": 1e-3}),
    "start_small_cutout": Variant({"start": "auto"}, cutout=0.3),
    "start_no_augmentation": Variant({"start": "auto", "augmentation": False}),
    "start_batch_8_r1_1": Variant({"start": "auto", "batch_size": 8, "r1": 1.0}),
    "start_batch_8_alternate": Variant({"start": "auto", "batch_size": 8, "balance": "alternate"}),
    "start_batch_8_both": Variant({"start": "auto", "batch_size": 8, "balance": "both"}),
    "start_batch_4": Variant({"start": "auto", "batch_size": 4}),
    "start_batch_32": Variant({"start": "auto", "batch_size": 32}),
    "start_batch_32_lr_double": Variant(
        {
            "start": "auto",
            "batch_size": 32,
            "generator_learning_rate": 16e-4,
            "discriminator_learning_rate": 16e-4,
        }
    ),
    "start_colours": Variant({"start": "auto"}, colours=True),
    "start_batch_32_lr_g_double": Variant(
        {"start": "auto", "batch_size": 32, "generator_learning_rate": 16e-4}
    ),
    "start_batch_32_both": Variant({"start": "auto", "batch_size": 32, "balance": "both"}),
    "encoder": Variant({}, encoder=300),
    "start_encoder": Variant({"start": "auto"}, encoder=150),
    "start_freeze_d": Variant({"start": "auto"}, frozen=2),
    # Not yet measured.
    "no_decay": Variant({"learning_rate_decay": 0.0}),
    "lr_half": Variant({"generator_learning_rate": 4e-4, "discriminator_learning_rate": 1e-4}),
    "lr_double": Variant({"generator_learning_rate": 1.6e-3, "discriminator_learning_rate": 4e-4}),
    "margin_0.2": Variant({"margin": 0.2}),
    "both": Variant({"balance": "both"}),
    "alternate": Variant({"balance": "alternate"}),
    "latents_32": Variant({"latent_dim": 32}),
    "width_96": Variant({"width": 96}),
    "minibatch_d": Variant({}, discriminator=minibatch_discriminator),
    "small_cutout": Variant({}, cutout=0.3),
    "ema_0.999": Variant({"ema_decay": 0.999}),
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
        return lambda: load_folder(str(data / name), 64, 3, Settings.crop)[0]

    return {
        "portraits": real("congress_400"),
        "paintings": real("portraits_5k"),
        "emoji": real("emoji_723"),
        "flowers": lambda: drawn(flower, 500, 64),
        "houses": lambda: drawn(house, 500, 64),
        "crops": crops,
    }


def adapt_colours(gan, pictures):
    """Brings the mean and deviation of the generator's colours, before its tanh, to those of
    pictures."""

    def before_tanh(values):
        return np.arctanh(0.95 * values)

    made = before_tanh(gan.generator(gan.random_latents(256, seed=0), training=True).numpy())
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


def run(name, kind, seed, marks, training_pictures, held_out, features, folder):
    """Trains a variant -> one row for each mark."""
    variant = VARIANTS[name]
    augment.CUTOUT = variant.cutout
    NETWORKS["light"] = variant.generator, variant.discriminator
    VariantGAN.variant = variant
    building.BalancedGAN = VariantGAN
    # Batches of 16 were the default when most rows were taken.
    options = {"start": "scratch", "batch_size": 16, "seed": seed} | variant.options
    if kind == "paintings" and options["start"] in ("auto", "portraits"):
        raise click.UsageError(f"{name} has seen the {kind} that are held out")
    of_real = features(held_out)
    began = time.process_time()
    settings = Settings(**options, precision=building.faster_precision()[0])
    gan = building.build_gan(settings)
    start = find_start(settings, training_pictures)
    if start:
        apply_start(gan, start, training_pictures)
    if variant.colours:
        adapt_colours(gan, training_pictures)
    if variant.encoder:
        learn_to_decode(gan, training_pictures, variant.encoder)
    data = iter(batches(training_pictures, settings.batch_size, seed, settings.mirror))
    step = tf.function(gan.train_step)
    trained = as_trained(training_pictures, settings.mirror)
    logs, spent = [], 0.0
    marks = {mark // settings.batch_size: mark for mark in marks}
    for number in range(1, max(marks) + 1):
        logs.append([float(value) for value in step(next(data)).values()])
        if number not in marks:
            continue
        spent += time.process_time() - began
        gan.settle()
        made = draw_samples(gan.ema_generator)
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
            "spread": ours["spread"] / perfect["spread"],
            "faces": share_with_face(made),
            "within_e": np.mean(abs(gaps) < settings.margin),
            "share_G": turns.mean(),
        }
        yield [f"{ours[key]:.4g}" if isinstance(ours[key], float) else ours[key] for key in COLUMNS]
        began = time.process_time()


@click.command()
@click.option("--data", default="../shared/data", show_default=True, type=Path)
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
        for row in run(name, kind, seed, marks, *sets, features, work):
            print(dict(zip(COLUMNS, row, strict=True)), flush=True)
            header = [] if TABLE.exists() else [COLUMNS]
            with TABLE.open("a") as file:
                csv.writer(file, lineterminator="\n").writerows([*header, row])
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
