"""Trains the networks that new runs begin from, and writes them into balanced_gan/starts/.

    python benchmarks/make_start.py neutral --work FOLDER
    python benchmarks/make_start.py portraits --work FOLDER

It goes on where it stopped, and a larger --seen continues. A million pictures take 40 minutes on
two cores with bfloat16 instructions. `neutral` learns from the drawings of scenes.py, `portraits`
from 5,000 painted portraits.
"""

import os
from pathlib import Path

import checkout  # noqa: F401
import click
import numpy as np
import perceptual
import scenes

from balanced_gan import building, start, training
from balanced_gan.checkpoints import load_checkpoint
from balanced_gan.errors import InputError
from balanced_gan.evaluation import draw_samples
from balanced_gan.pictures import load_folder
from balanced_gan.runs import create_run, find_run
from balanced_gan.settings import Settings

SCENES = 12_000
BATCH_SIZE = 16


def portraits(data):
    """5,000 paintings."""
    return load_folder(str(data / "portraits_5k"), 64, 3, "center")[0]


def neutral(_):
    """Drawn scenes, kept in the folder, as they take minutes to draw."""
    file = Path("scenes.npy")
    if not file.exists():
        np.save(file, scenes.draw_scenes(SCENES))
    return np.load(file)


SOURCES = {"neutral": neutral, "portraits": portraits}


@click.command()
@click.argument("name", type=click.Choice(list(SOURCES)))
@click.option("--data", default="../shared/data", show_default=True, type=Path)
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
        precision=building.faster_precision()[0],
    )
    try:
        run = find_run()
    except InputError:
        run = create_run(settings)
    if not only_write:
        training.train(settings, run, pictures)
    gan = building.build_gan(settings)
    load_checkpoint(run, gan)
    start.FOLDER.mkdir(exist_ok=True)
    start.save_start(gan, start.FOLDER / f"{name}.npz")
    features = perceptual.load_features()
    made, real = draw_samples(gan.ema_generator), pictures[::10][:1000]
    found = perceptual.measure(features(made), features(real))
    seen = gan.steps_done * settings.batch_size
    print(f"{name}: {seen:,} pictures seen;", {key: round(v, 3) for key, v in found.items()})


if __name__ == "__main__":
    main()
