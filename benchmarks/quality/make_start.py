"""Trains the networks that new runs begin from, and writes them into balanced_gan/starts/.

    python -m benchmarks.quality.make_start neutral --work FOLDER
    python -m benchmarks.quality.make_start portraits --work FOLDER
    python -m benchmarks.quality.make_start framed_portraits --seen 269344 --work FOLDER

It goes on where it stopped, and a larger --seen continues. A million pictures take 40 minutes on
two cores with bfloat16 instructions. `neutral` learns from the drawings of scenes.py, `portraits`
from 5,000 painted portraits. `framed_portraits` goes on from those with each in three framings, and
is written as `portraits` too.
"""

import os
from pathlib import Path

import click
import cv2
import numpy as np

from balanced_gan.data.folder import load_folder
from balanced_gan.errors import InputError
from balanced_gan.evaluation.evaluate import draw_samples
from balanced_gan.files import atomic_open
from balanced_gan.model.build import build_gan, faster_precision
from balanced_gan.model.start import COMPARED, FOLDER, arrays_of
from balanced_gan.output.images import to_uint8
from balanced_gan.runs.checkpoints import load_checkpoint
from balanced_gan.runs.registry import create_run, find_run
from balanced_gan.settings import Settings
from balanced_gan.training.choose_start import outlines_of
from balanced_gan.training.train import train
from benchmarks.quality import perceptual
from benchmarks.quality.scenes import draw_scenes
from benchmarks.shared import data_option

SCENES = 12_000
BATCH_SIZE = 16


def portraits(data):
    """5,000 paintings."""
    return np.asarray(load_folder(str(data / "portraits_5k"), 64, 3, "center")[0])


def framed_portraits(data):
    """The same, each as it is and in two smaller framings, since people's pictures show more than
    a face."""
    whole = portraits(data)
    random = np.random.default_rng(1)
    smaller = [reframed(picture, random) for picture in np.concatenate([whole, whole])]
    return np.concatenate([whole, smaller])


def reframed(picture, random):
    """A picture at 0.6 to 1 of its size, on what its own edges look like when they are drawn out
    and blurred; nearer to the top than to the bottom."""
    size = len(picture)
    side = round(size * random.uniform(0.6, 1))
    top = round((size - side) * random.uniform(0, 0.5))
    left = round((size - side) * random.uniform(0.3, 0.7))
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    margins = (top, size - side - top, left, size - side - left)
    framed = cv2.GaussianBlur(
        cv2.copyMakeBorder(small, *margins, cv2.BORDER_REPLICATE), ksize=(0, 0), sigmaX=3
    )
    framed[top : top + side, left : left + side] = small
    return framed


def neutral(_):
    """Drawn scenes, kept in the folder, as they take minutes to draw."""
    file = Path("scenes.npy")
    if not file.exists():
        np.save(file, draw_scenes(SCENES))
    return np.load(file)


# What to learn from, what to begin from, and the name of the file
SOURCES = {
    "neutral": (neutral, "scratch", "neutral"),
    "portraits": (portraits, "scratch", "portraits"),
    "framed_portraits": (framed_portraits, "portraits", "portraits"),
}


def save_start(gan, file):
    """Writes a model as a start, in float16: half the size, and training soon changes more than
    that rounds away."""
    samples = to_uint8(gan.generate(COMPARED))
    arrays = arrays_of(gan) | {"outlines": outlines_of(samples)}
    arrays = {name: array.astype(np.float16) for name, array in arrays.items()}
    with atomic_open(file) as stream:
        np.savez_compressed(stream, **arrays)


@click.command()
@click.argument("name", type=click.Choice(list(SOURCES)))
@data_option
@click.option("--seen", default=1_000_000, show_default=True, help="Pictures.")
@click.option("--work", required=True, type=Path, help="Folder for the run, to go on in.")
@click.option("--only_write", is_flag=True, help="Write what is there, without training.")
def main(name, data, seen, work, only_write):
    data, folder = data.resolve(), work.resolve() / name
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    learn_from, start, file = SOURCES[name]
    pictures = np.asarray(learn_from(data))
    settings = Settings(
        seed=1,
        epochs=None,
        batch_size=BATCH_SIZE,
        steps=seen // BATCH_SIZE,
        # Long: what a new run begins from should be an average of many turns.
        ema_decay=0.999,
        start=start,
        precision=faster_precision()[0],
    )
    try:
        run = find_run()  # the newest in this folder
    except InputError:
        run = create_run(settings, name)
    if not only_write:
        train(settings, run, pictures)
    gan = build_gan(settings)
    load_checkpoint(run, gan)
    save_start(gan, FOLDER / f"{file}.npz")
    features = perceptual.load_features()
    made, real = draw_samples(gan.recalibrated_generator()), pictures[::10][:1000]
    found = perceptual.measure(features(made), features(real))
    seen = gan.steps_done * settings.batch_size
    print(f"{name}: {seen:,} pictures seen;", {key: round(v, 3) for key, v in found.items()})


if __name__ == "__main__":
    main()
