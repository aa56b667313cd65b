"""Writes trained networks into balanced_gan/starts/, for new runs to begin with, and measures them.

    python -m benchmarks.quality.pretrain portraits weights.npz
    python -m benchmarks.quality.make_start portraits --weights weights.npz --work FOLDER

    python -m benchmarks.quality.make_start neutral --seen 1000000 --work FOLDER
    python -m benchmarks.quality.pretrain neutral weights.npz
    python -m benchmarks.quality.make_start neutral --weights weights.npz --keep_discriminator \\
        --work OTHER

`pretrain` trains on a GPU, where there may be no Keras. Its networks then settle: they go on for a
short while as the program trains. Without this, the discriminator knows its pictures so well that
it overpowers the generator as soon as a new run shows it others. Without --weights, a start is
trained as the program itself does; a million pictures take 40 minutes on two cores with bfloat16
instructions. `neutral` pairs a discriminator trained this way with a generator from `pretrain`:
new runs come nearer to their pictures with these two than with either pair
(benchmarks/ablations.md).
"""

import os
from pathlib import Path

import click
import numpy as np

from balanced_gan.errors import InputError
from balanced_gan.evaluation.evaluate import draw_samples
from balanced_gan.evaluation.features import OUTLINES, shape_and_colour
from balanced_gan.files import atomic_open
from balanced_gan.model.build import build_gan, faster_precision
from balanced_gan.model.start import (
    COMPARED,
    FOLDER,
    Start,
    apply_start,
    arrays_of,
    load_shipped,
)
from balanced_gan.output.images import to_uint8
from balanced_gan.runs.checkpoints import load_checkpoint
from balanced_gan.runs.registry import create_run, find_run
from balanced_gan.settings import Settings
from balanced_gan.training.train import train
from benchmarks.quality import perceptual
from benchmarks.quality.pretrain import SOURCES
from benchmarks.shared import data_option

BATCH_SIZE = 16
SETTLING_RATE = 2e-4  # a quarter of the default, so that little of what they know is lost


def save_start(gan, name, kept=()):
    """Writes a model as a start, in float16: half the size, and training soon changes more than
    that rounds away.

    Args:
        kept: arrays that replace those of the model.
    """
    samples = to_uint8(gan.generate(COMPARED))
    gan.generator.set_weights(gan.ema_generator.get_weights())
    arrays = (
        arrays_of(gan.generator, gan.discriminator)
        | {"outlines": shape_and_colour(samples)[:, :OUTLINES]}
        | dict(kept)
    )
    arrays = {key: array.astype(np.float16) for key, array in arrays.items()}
    with atomic_open(FOLDER / f"{name}.npz") as stream:
        np.savez_compressed(stream, **arrays)


def train_on(name, pictures, seen, settling):
    """Trains as the program does, from random weights or, to settle, from the start with this
    name; returns the model."""
    rates = ("generator_learning_rate", "discriminator_learning_rate") if settling else ()
    settings = Settings(
        seed=1,
        epochs=None,
        batch_size=BATCH_SIZE,
        steps=seen // BATCH_SIZE,
        ema_decay=0.999,  # what a new run begins from should be an average of many turns
        start=name if settling else "scratch",
        precision=faster_precision()[0],
        **dict.fromkeys(rates, SETTLING_RATE),
    )
    try:
        run = find_run()  # the newest in this folder
    except InputError:
        run = create_run(settings, name)
    train(settings, run, pictures)
    gan = build_gan(settings)
    load_checkpoint(run, gan)
    return gan


@click.command()
@click.argument("name", type=click.Choice(list(SOURCES)))
@data_option
@click.option("--weights", type=click.Path(exists=True, dir_okay=False), help="From pretrain.")
@click.option("--keep_discriminator", is_flag=True, help="That of the start with this name.")
@click.option("--seen", default=102_400, show_default=True, help="Pictures.")
@click.option("--work", required=True, type=Path, help="Folder for the run, to go on in.")
def main(name, data, weights, keep_discriminator, seen, work):
    pictures = SOURCES[name].pictures(data.resolve())
    before = load_shipped(name).arrays if keep_discriminator else {}
    kept = {key: array for key, array in before.items() if key.startswith("discriminator")}
    if weights:
        with np.load(weights) as stored:
            arrays = {key: stored[key].astype(np.float32) for key in stored.files}
        gan = build_gan(Settings(precision="float32"))
        apply_start(gan, Start(name, arrays), pictures)
        save_start(gan, name)
    folder = work.resolve() / name
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    gan = train_on(name, pictures, seen, settling=bool(weights))
    save_start(gan, name, kept)
    features = perceptual.load_features()
    made, real = draw_samples(gan.recalibrated_generator()), pictures[::10][:1000]
    found = perceptual.measure(features(made), features(real))
    print(f"{name}:", {key: round(value, 3) for key, value in found.items()})


if __name__ == "__main__":
    main()
