"""Writes trained networks into balanced_gan/starts/, for new runs to begin with, and measures them.

    python -m benchmarks.quality.pretrain portraits portraits_weights.npz
    python -m benchmarks.quality.make_start portraits portraits_weights.npz

`pretrain` trains on a GPU, where there may be no Keras. This adds BatchNorm's statistics and the
outlines of the networks' own pictures, and prints how good these pictures are.
"""

import click
import numpy as np

from balanced_gan.evaluation.evaluate import draw_samples
from balanced_gan.files import atomic_open
from balanced_gan.model.build import build_gan
from balanced_gan.model.start import COMPARED, FOLDER, Start, apply_start, arrays_of
from balanced_gan.output.images import to_uint8
from balanced_gan.settings import Settings
from balanced_gan.training.choose_start import outlines_of
from benchmarks.quality import perceptual
from benchmarks.quality.pretrain import SOURCES
from benchmarks.shared import data_option


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
@click.argument("weights", type=click.Path(exists=True, dir_okay=False))
@data_option
def main(name, weights, data):
    gan = build_gan(Settings(precision="float32"))
    pictures = SOURCES[name].pictures(data)
    with np.load(weights) as arrays:
        apply_start(gan, Start(name, {key: arrays[key] for key in arrays.files}), pictures)
    made = draw_samples(gan.recalibrated_generator())
    save_start(gan, FOLDER / f"{name}.npz")
    features = perceptual.load_features()
    found = perceptual.measure(features(made), features(pictures[::10][:1000]))
    print(f"{name}:", {key: round(value, 3) for key, value in found.items()})


if __name__ == "__main__":
    main()
