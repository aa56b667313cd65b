"""Trains the networks that new runs begin from, and writes them into balanced_gan/starts/.

    python -m benchmarks.quality.make_start neutral --work FOLDER
    python -m benchmarks.quality.make_start portraits --work FOLDER

It goes on where it stopped, and a larger --seen continues. A million pictures take 40 minutes on
two cores with bfloat16 instructions. `neutral` learns from the drawings of scenes.py, `portraits`
from 5,000 painted portraits.
"""

import os
from pathlib import Path

import click
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
    return load_folder(str(data / "portraits_5k"), 64, 3, "center")[0]


def neutral(_):
    """Drawn scenes, kept in the folder, as they take minutes to draw."""
    file = Path("scenes.npy")
    if not file.exists():
        np.save(file, draw_scenes(SCENES))
    return np.load(file)


SOURCES = {"neutral": neutral, "portraits": portraits}


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
    pictures = np.asarray(SOURCES[name](data))
    settings = Settings(
        seed=1,
        epochs=None,
        batch_size=BATCH_SIZE,
        steps=seen // BATCH_SIZE,
        # Long: what a new run begins from should be an average of many turns.
        ema_decay=0.999,
        start="scratch",
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
    save_start(gan, FOLDER / f"{name}.npz")
    features = perceptual.load_features()
    made, real = draw_samples(gan.recalibrated_generator()), pictures[::10][:1000]
    found = perceptual.measure(features(made), features(real))
    seen = gan.steps_done * settings.batch_size
    print(f"{name}: {seen:,} pictures seen;", {key: round(v, 3) for key, v in found.items()})


if __name__ == "__main__":
    main()
